"""Short texts of four domains, rated for sentiment by people."""

from __future__ import annotations

import io
import os
import tarfile
from numbers import Real
from typing import Literal, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from sktransfer._artifacts import Artifact, read_artifact
from sktransfer.datasets._home import dataset_dir

__all__ = ["fetch_review_snippets"]

_SDIST = Artifact(
    project="vaderSentiment",
    version="3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"


class _Domain(NamedTuple):
    file: str
    title: str
    origin: str


_DOMAINS = {
    "amazon": _Domain(
        "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
        "Amazon reviews",
        "sentences of 309 customer reviews of five products (Hu and Liu, 2004), in lower case",
    ),
    "movie": _Domain(
        "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
        "Movie reviews",
        "sentences of 2,000 movie reviews of rotten.tomatoes.com (Pang and Lee, 2004)",
    ),
    "nyt": _Domain(
        "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
        "New York Times editorials",
        "sentences of 500 opinion editorials of the New York Times",
    ),
    "tweets": _Domain(
        "hutto_ICWSM_2014/tweets_GroundTruth.txt",
        "Tweets",
        "texts like tweets, 4,000 after real ones and 200 contrived to try out intensity",
    ),
}

_DESCR = """\
{title}, rated for sentiment
----------------------------------------------

{n_rows:,} {origin}.

About 20 people rated each text from -4 (extremely negative) over 0 (neutral) to 4 (extremely
positive); the rating is their mean. Texts are as published, with HTML entities such as &amp;, and
without white space around them.

{target}

{counts}

Source: the sdist of vaderSentiment 3.3.2 on PyPI, archive hutto_ICWSM_2014.

Licence: MIT, that of vaderSentiment. Rights of the authors of the quoted texts are not stated.

Reference: C.J. Hutto and E. Gilbert. VADER: A Parsimonious Rule-based Model for Sentiment Analysis
of Social Media Text. Proceedings of ICWSM 2014.
"""
_BINARY = """\
The target is the sign of the rating, "negative" or "positive". Rows rated closer to 0 than
{band:g}, or exactly 0, are dropped as neutral."""
_REGRESSION = "The target is the rating."


def fetch_review_snippets(
    domain: Literal["amazon", "movie", "nyt", "tweets"],
    *,
    neutral_band: float | None = 0.5,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[list[str], np.ndarray]:
    """Load short texts rated for sentiment, downloading them (2.5 MB) the first time.

    This is one task in four domains, for transfer learning between them. About 20 people rated each
    text from -4 to 4; the rating is their mean.

    ========  ======  ======  =======  ========  ========  ================================
    domain    rows    copies  neutral  negative  positive  texts
    ========  ======  ======  =======  ========  ========  ================================
    "movie"   10,605  2       533      5,075     4,995     sentences of movie reviews
    "amazon"  3,708   11      720      1,233     1,744     sentences of product reviews
    "nyt"     5,190   71      2,189    1,756     1,174     sentences of newspaper editorials
    "tweets"  4,200   0       768      1,087     2,345     texts like tweets
    ========  ======  ======  =======  ========  ========  ================================

    Copies of an earlier text are always dropped, and neutral rows according to ``neutral_band``.

    Parameters
    ----------
    domain : {"amazon", "movie", "nyt", "tweets"}
        Domain of the texts.
    neutral_band : float or None, default=0.5
        Rows whose rating is closer to 0 than this, and rows rated exactly 0, are dropped, since the
        raters do not agree on their sentiment. Nine of ten ratings have a standard error below
        0.25 (0.32 for movies). The default is about two standard errors, so that the signs of the
        other rows are hardly ever chance. None keeps neutral rows, and makes the rating the target,
        for regression.
    data_home : str, path-like or None, default=None
        Folder that keeps the download. None is ``datasets`` in the cache folder, which is
        ``$SKTRANSFER_CACHE`` or else ``$XDG_CACHE_HOME/sktransfer`` or ``~/.cache/sktransfer``.
    download_if_missing : bool, default=True
        If False, raise an OSError instead of downloading.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : sklearn.utils.Bunch
        Dictionary-like object with these attributes:

        data : list of str
            The texts, in the order of the publication.
        target : ndarray of str, or of float if ``neutral_band`` is None
            ``"negative"`` or ``"positive"``, by the sign of the rating; or the rating.
        rating : ndarray of float
            Mean rating of each text.
        target_names : list of str or None
            ``["negative", "positive"]``, or None if ``neutral_band`` is None.
        n_dropped : int
            Number of rows that were dropped as neutral.
        n_duplicates : int
            Number of rows that were dropped as copies of an earlier text.
        DESCR : str
            Description, counts, source, licence and reference.
    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    OSError
        If the data is not in the cache and cannot be downloaded, or the download has another hash.
    ValueError
        If ``domain`` is unknown or ``neutral_band`` is not between 0 and 4.

    Notes
    -----
    The ratings were collected for [1]_. They come with the sdist of the PyPI project
    vaderSentiment (MIT licence), which is downloaded with pip, verified, and read as a tar file:
    it is not installed, and none of its code is executed.

    References
    ----------
    .. [1] C.J. Hutto and E. Gilbert. "VADER: A Parsimonious Rule-based Model for Sentiment
       Analysis of Social Media Text". Proceedings of ICWSM 2014.

    Examples
    --------
    >>> from sktransfer.datasets import fetch_review_snippets
    >>> tweets = fetch_review_snippets("tweets")
    >>> tweets.data[1], str(tweets.target[1]), round(float(tweets.rating[1]), 2)
    ('Yay. Another good phone interview.', 'positive', 1.44)
    >>> X, rating = fetch_review_snippets("tweets", neutral_band=None, return_X_y=True)
    >>> len(X), rating.dtype
    (4200, dtype('float64'))
    """
    if domain not in _DOMAINS:
        raise ValueError(f"domain must be one of {sorted(_DOMAINS)}, got {domain!r}.")
    if neutral_band is not None and not (isinstance(neutral_band, Real) and 0 <= neutral_band <= 4):
        raise ValueError(f"neutral_band must be None or from 0 to 4, got {neutral_band!r}.")
    sdist = read_artifact(_SDIST, dataset_dir(data_home), download_if_missing=download_if_missing)
    rows = _parse(_member(_member(sdist, _INNER), _DOMAINS[domain].file))
    # Copies could end up in both training and test data. They were rated separately, and the first
    # rating is used.
    first = dict(reversed(rows))
    data = list(dict.fromkeys(text for text, _ in rows))
    rating = np.array([first[text] for text in data])
    target, n_dropped = rating, 0
    if neutral_band is not None:
        kept = (np.abs(rating) >= neutral_band) & (rating != 0)
        data = [text for text, keep in zip(data, kept, strict=True) if keep]
        n_dropped = int(np.sum(~kept))
        rating = rating[kept]
        target = np.where(rating > 0, "positive", "negative")
    if return_X_y:
        return data, target
    n_duplicates = len(rows) - len(first)
    counts = {"rows": len(rows), "copies, dropped": n_duplicates}
    if neutral_band is not None:
        counts["neutral, dropped"] = n_dropped
        counts["negative"] = int(np.sum(rating < 0))
        counts["positive"] = int(np.sum(rating > 0))
    return Bunch(
        data=data,
        target=target,
        rating=rating,
        target_names=None if neutral_band is None else ["negative", "positive"],
        n_dropped=n_dropped,
        n_duplicates=n_duplicates,
        DESCR=_DESCR.format(
            title=_DOMAINS[domain].title,
            n_rows=counts["rows"],
            origin=_DOMAINS[domain].origin,
            target=_REGRESSION if neutral_band is None else _BINARY.format(band=neutral_band),
            counts="\n".join(f"{name:18}{number:7,}" for name, number in counts.items()),
        ),
    )


def _member(blob: bytes, name: str) -> bytes:
    """Read a member of a tar file, whose hash was verified."""
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        member = archive.extractfile(name)
        assert member is not None  # as for a folder
        return member.read()


def _parse(content: bytes) -> list[tuple[str, float]]:
    """Split lines of identifier, rating and text."""
    # splitlines() would also split at characters inside of texts.
    lines = content.decode("utf-8").rstrip("\r\n").split("\r\n")
    rows = (line.split("\t") for line in lines)
    return [(text.strip(), float(rating)) for _, rating, text in rows]
