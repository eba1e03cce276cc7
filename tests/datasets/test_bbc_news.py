from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.utils import Bunch

from sktransfer.datasets import fetch_bbc_news


def test_counts_per_topic_are_those_published(bbc_news):
    assert Counter(bbc_news.target.tolist()) == {
        "business": 510,
        "entertainment": 386,
        "politics": 417,
        "sports": 511,
        "tech": 401,
    }
    assert bbc_news.target_names == sorted(set(bbc_news.target.tolist()))


def test_attributes_have_the_documented_types(bbc_news):
    assert isinstance(bbc_news, Bunch)
    assert all(type(text) is str for text in bbc_news.data)
    assert bbc_news.target.dtype.kind == "U"
    assert bbc_news.target.shape == bbc_news.filenames.shape == (len(bbc_news.data),)


def test_each_article_belongs_to_its_file(bbc_news):
    assert len(set(bbc_news.filenames)) == len(bbc_news.data)
    folders = [name.split("/")[0] for name in bbc_news.filenames]
    assert folders == bbc_news.target.tolist()
    # One of each topic, by its headline.
    headlines = {
        str(name): text.splitlines()[0]
        for name, text in zip(bbc_news.filenames, bbc_news.data, strict=True)
    }
    assert headlines["business/001.txt"] == "Ad sales boost Time Warner profit"
    assert headlines["sports/199.txt"] == "Chelsea sack Mutu"


def test_articles_are_sorted_by_file(bbc_news):
    assert bbc_news.filenames.tolist() == sorted(bbc_news.filenames.tolist())


def test_no_article_is_empty(bbc_news):
    assert min(len(text) for text in bbc_news.data) == 503
    assert max(len(text) for text in bbc_news.data) == 25_485


def test_pound_signs_are_decoded_and_nothing_else_is_odd(bbc_news):
    odd = Counter(
        char for text in bbc_news.data for char in text if char != "\n" and not " " <= char <= "~"
    )
    # Anything wrongly decoded would show as another character.
    assert odd == {"£": 1_403}


def test_the_one_article_in_another_encoding_is_decoded(bbc_news):
    where = bbc_news.filenames.tolist().index("sports/199.txt")
    assert "a £15.8m signing" in bbc_news.data[where]


def test_copies_are_as_documented_and_never_of_another_topic(bbc_news):
    assert len(bbc_news.data) - len(set(bbc_news.data)) == 98
    pairs = set(zip(bbc_news.data, bbc_news.target.tolist(), strict=True))
    assert len(pairs) == len(set(bbc_news.data))


def test_fetching_twice_gives_the_same(bbc_news):
    again = fetch_bbc_news(download_if_missing=False)
    assert again.data == bbc_news.data
    np.testing.assert_array_equal(again.target, bbc_news.target)
    assert again.DESCR == bbc_news.DESCR


def test_return_x_y_gives_the_same_pair(bbc_news):
    X, y = fetch_bbc_news(return_X_y=True)
    assert bbc_news.data == X
    np.testing.assert_array_equal(y, bbc_news.target)


def test_descr_names_counts_licence_and_reference(bbc_news):
    for part in ("2,225", "511", "98 articles", "non-commercial", "Greene", "ICML 2006"):
        assert part in bbc_news.DESCR
    assert max(map(len, bbc_news.DESCR.splitlines())) <= 100


def test_an_empty_data_home_is_an_error_when_downloads_are_not_allowed(tmp_path):
    with pytest.raises(OSError, match="download_if_missing is False"):
        fetch_bbc_news(data_home=tmp_path, download_if_missing=False)
