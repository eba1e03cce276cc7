"""Gaps among texts: an error by default, empty texts where that is asked for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import TransferTextClassifier, TransferTextEncoder

TEXTS = ["good film", "bad film", "a joy", "a bore"] * 3
LABELS = [1, 0, 1, 0] * 3


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_a_gap_has_the_features_of_an_empty_text(gap):
    encoder = TransferTextEncoder("hashing", missing="empty", random_state=0).fit(TEXTS)
    np.testing.assert_array_equal(
        encoder.transform(["good film", gap]), encoder.transform(["good film", ""])
    )


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_by_default_a_gap_is_an_error_that_names_index_and_remedy(gap):
    encoder = TransferTextEncoder("hashing").fit(TEXTS)
    with pytest.raises(ValueError, match=r"index 1: .*missing='empty'"):
        encoder.transform(["good film", gap])
    with pytest.raises(ValueError, match=r"1 missing value"):
        TransferTextClassifier("hashing").fit([*TEXTS, gap], [*LABELS, 1])


def test_a_table_with_a_gap_goes_through_a_column_transformer():
    frame = pd.DataFrame({"t": TEXTS, "n": range(12)})
    columns = make_column_transformer(
        (TransferTextEncoder("hashing", missing="empty"), "t"), ("passthrough", ["n"])
    )
    pipe = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    found = pipe.predict(frame.assign(t=[None, *TEXTS[1:]]))
    assert found.shape == (12,)


def test_a_classifier_trains_on_gaps_and_warns_of_blank_texts():
    clf = TransferTextClassifier("hashing", freeze="frozen", missing="empty", random_state=0)
    with pytest.warns(UserWarning, match="1 of 13"):
        clf.fit([*TEXTS, None], [*LABELS, 1])
    assert clf.predict([None]).shape == (1,)


def test_a_side_of_a_pair_may_be_missing():
    frame = pd.DataFrame({"question": TEXTS, "answer": [None, *TEXTS[1:]]})
    clf = TransferTextClassifier("hashing", freeze="frozen", pairs=True, random_state=0)
    with pytest.raises(ValueError, match="answer"):
        clf.fit(frame, LABELS)


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="'missing' parameter"):
        TransferTextEncoder("hashing", missing="drop").fit(TEXTS)
