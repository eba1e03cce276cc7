"""A way for scikit-learn's estimator battery to reach an estimator of texts."""

from __future__ import annotations

import numpy as np

from sktransfer.testing._rows_as_inputs import RowsAsInputs

__all__ = ["RowsAsText"]

# Measured with a bag of words on the battery's blobs, where 0.83 is asked for: accuracy is 0.75 at
# steps of 2, 0.90 at 1, 0.93 at 0.5 and 0.98 at 0.1; on other rows 0.75, 0.90, 0.90 and 0.80.
_STEP = 0.5


class RowsAsText(RowsAsInputs):
    r"""Let a classifier, regressor or transformer of texts take tables of numbers, for tests.

    `sklearn.utils.estimator_checks.check_estimator` hands out tables, and skips nearly all of its
    checks for an estimator that takes texts. This one renders each row as a document such as
    ``"f0_3 f1_-2"`` and leaves everything else to the estimator: labels, weights, errors.

    Parameters
    ----------
    estimator : estimator
        Takes a list of str. A clone of it is fitted.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    classes_ : ndarray
        Labels, as the estimator has them; only if it does.
    n_features_in_ : int
        Columns of the table.
    n_iter_ : int
        As the estimator has it; only if it does.

    Notes
    -----
    Numbers are counted in halves: 1.4 of column 0 is the word ``f0_3``. So standardised data, as
    the battery has it, gives a column about a dozen words, each in enough rows to be learned.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer.testing import RowsAsText
    >>> texts = make_pipeline(CountVectorizer(token_pattern=r"\S+"), MultinomialNB())
    >>> RowsAsText(texts).fit([[0.1, 3.0], [-2.2, 3.6]], ["a", "b"]).predict([[0.2, 3.1]])
    array(['a'], dtype='<U1')
    """

    def _rendered(self, numbers: np.ndarray) -> list[str]:
        # Adding 0 turns the -0.0 that rounding leaves into 0.0, which is the same number.
        return [
            " ".join(f"f{column}_{value:.0f}" for column, value in enumerate(row))
            for row in np.rint(numbers / _STEP) + 0.0
        ]
