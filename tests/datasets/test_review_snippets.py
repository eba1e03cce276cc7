from __future__ import annotations

import io
import tarfile
from collections import Counter

import numpy as np
import pytest

from sktransfer.datasets import fetch_review_snippets
from sktransfer.datasets._home import dataset_dir

DOMAINS = ["amazon", "movie", "nyt", "tweets"]
every_domain = pytest.mark.parametrize("domain", DOMAINS)


@pytest.mark.parametrize(
    ("domain", "rows", "copies", "neutral", "negative", "positive"),
    [
        ("movie", 10_605, 2, 533, 5_075, 4_995),
        ("amazon", 3_708, 11, 720, 1_233, 1_744),
        ("nyt", 5_190, 71, 2_189, 1_756, 1_174),
        ("tweets", 4_200, 0, 768, 1_087, 2_345),
    ],
)
def test_counts_are_as_documented(snippets, domain, rows, copies, neutral, negative, positive):
    data = snippets(domain)
    assert (data.n_duplicates, data.n_dropped) == (copies, neutral)
    assert Counter(data.target.tolist()) == {"negative": negative, "positive": positive}
    assert len(data.data) == negative + positive == rows - copies - neutral
    for number in (rows, copies, neutral, negative, positive):
        assert f"{number:,}" in data.DESCR
        assert f" {number:,} " in fetch_review_snippets.__doc__


@every_domain
def test_the_target_is_the_sign_of_a_rating_that_is_not_neutral(snippets, domain):
    data = snippets(domain)
    assert data.target_names == ["negative", "positive"]
    assert data.target.dtype.kind == "U"
    assert data.rating.dtype == np.float64
    assert len(data.data) == len(data.target) == len(data.rating)
    np.testing.assert_array_equal(data.target == "positive", data.rating > 0)
    assert np.abs(data.rating).min() >= 0.5
    assert np.abs(data.rating).max() <= 4


@every_domain
def test_a_band_of_zero_drops_only_ratings_of_exactly_zero(snippets, domain):
    every = snippets(domain, neutral_band=None)
    signed = snippets(domain, neutral_band=0)
    assert signed.n_dropped == np.sum(every.rating == 0) > 0
    np.testing.assert_array_equal(signed.rating, every.rating[every.rating != 0])


@every_domain
def test_a_wider_band_keeps_a_part_of_what_a_narrower_one_keeps(snippets, domain):
    narrow, wide = snippets(domain), snippets(domain, neutral_band=1.0)
    left = np.abs(narrow.rating) >= 1.0
    assert wide.data == [text for text, keep in zip(narrow.data, left, strict=True) if keep]
    np.testing.assert_array_equal(wide.target, narrow.target[left])


@every_domain
def test_without_a_band_the_target_is_the_rating(snippets, domain):
    data = snippets(domain, neutral_band=None)
    assert data.n_dropped == 0
    assert data.target_names is None
    np.testing.assert_array_equal(data.target, data.rating)
    assert "The target is the rating." in data.DESCR


@every_domain
def test_no_text_is_empty_or_padded_or_twice(snippets, domain):
    texts = snippets(domain, neutral_band=None).data
    assert all(type(text) is str and text == text.strip() != "" for text in texts)
    assert len(set(texts)) == len(texts)


@every_domain
def test_no_text_is_decoded_wrongly(snippets, domain):
    for text in snippets(domain, neutral_band=None).data:
        assert text.isprintable()
        assert "\N{REPLACEMENT CHARACTER}" not in text
        if not text.isascii():
            # UTF-8 taken for another encoding could be turned back into UTF-8.
            with pytest.raises(UnicodeError):
                text.encode("cp1252").decode("utf-8")


def test_accents_are_decoded(snippets):
    texts = snippets("movie", neutral_band=None).data
    assert any("clichés disappear into the vertiginous" in text for text in texts)


@every_domain
def test_rows_agree_with_the_published_file(snippets, domain):
    # Read independently of the code under test.
    sdist = dataset_dir(None) / "vaderSentiment-3.3.2.tar.gz"
    with tarfile.open(sdist) as outer:
        inner = outer.extractfile(
            "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
        ).read()
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        (name,) = [
            name
            for name in archive.getnames()
            if domain in name.lower() and name.endswith("GroundTruth.txt")
        ]
        lines = archive.extractfile(name).read().decode("utf-8").split("\r\n")
    published = [(row[2].strip(), float(row[1])) for row in (line.split("\t") for line in lines)]
    data = snippets(domain, neutral_band=None)
    fetched = list(zip(data.data, data.rating.tolist(), strict=True))
    assert set(fetched) <= set(published)
    assert {text for text, _ in fetched} == {text for text, _ in published}
    assert fetched[:100] == published[:100]


@every_domain
def test_fetching_twice_gives_the_same(snippets, domain):
    first, again = snippets(domain), snippets(domain, download_if_missing=False)
    assert again.data == first.data
    np.testing.assert_array_equal(again.target, first.target)
    assert again.DESCR == first.DESCR


@pytest.mark.parametrize("band", [0.5, None])
def test_return_x_y_gives_the_same_pair(snippets, band):
    data = snippets("amazon", neutral_band=band)
    X, y = snippets("amazon", neutral_band=band, return_X_y=True)
    assert data.data == X
    np.testing.assert_array_equal(y, data.target)


@every_domain
def test_descr_names_source_licence_and_reference(snippets, domain):
    descr = snippets(domain).DESCR
    for part in ("vaderSentiment 3.3.2", "MIT", "Hutto", "ICWSM 2014", "closer to 0 than\n0.5"):
        assert part in descr
    assert max(map(len, descr.splitlines())) <= 100


@pytest.mark.parametrize("domain", ["books", "", None, "Movie"])
def test_an_unknown_domain_is_refused_before_anything_is_downloaded(domain, tmp_path, index):
    with pytest.raises(ValueError, match=r"domain must be one of \['amazon', 'movie'"):
        fetch_review_snippets(domain, data_home=tmp_path / "home")


@pytest.mark.parametrize("band", [-0.1, 4.1, float("nan"), "0.5"])
def test_a_band_that_makes_no_sense_is_refused(band, tmp_path, index):
    with pytest.raises(ValueError, match="neutral_band must be None or from 0 to 4"):
        fetch_review_snippets("movie", neutral_band=band, data_home=tmp_path / "home")


def test_an_empty_data_home_is_an_error_when_downloads_are_not_allowed(tmp_path):
    with pytest.raises(OSError, match="download_if_missing is False"):
        fetch_review_snippets("movie", data_home=tmp_path, download_if_missing=False)
