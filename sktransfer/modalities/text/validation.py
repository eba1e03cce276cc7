"""Validation of texts, whatever they come in."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.contracts import FileFormats, Inputs, Modality, available
from sktransfer.contracts.inputs import is_missing
from sktransfer.contracts.registry import modality_classes

# Characters of a text beyond those that windows read, too: 64 windows of 512 tokens.
_GIANT = 200_000


def check_texts(
    X: Any,
    *,
    pairs: bool = False,
    fitting: bool = False,
    start: int = 0,
    missing: str = "raise",
) -> Inputs:
    """Validate texts, and turn them into str.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, one-column frame or other iterable of n str
        pandas, polars and pyarrow are understood. With ``pairs``, a frame or an array of two
        columns, or a list of n tuples of two str.
    pairs : bool, default=False
        Whether each row is a pair of texts.
    fitting : bool, default=False
        Whether the texts are for training: then blank ones warn, and only blank ones are an error.
    start : int, default=0
        Number of the first text, for messages.
    missing : {"raise", "empty"}, default="raise"
        Whether a missing value is an error or an empty text.

    Returns
    -------
    texts : Inputs of n str, or of n (str, str)
        Lone surrogates, which no encoder can read, are replaced.

    Raises
    ------
    ValueError
        If X is one string, has another number of columns, is empty, or has missing values.
    TypeError
        If X is no collection, or something in it is neither text nor missing.
    """
    columns = _columns(X)
    if pairs:
        named = columns is not None
        columns = _sides(X) if columns is None else columns
        if len(columns) != 2:
            raise ValueError(
                f"X has {_counted(columns)}, but with pairs=True two columns of texts are "
                "expected, such as X[['question', 'answer']]."
            )
        sides: list[Inputs] = []
        for name, column in columns.items():
            try:
                first = fitting and not sides
                sides.append(check_texts(column, fitting=first, start=start, missing=missing))
            except (TypeError, ValueError) as error:
                raise type(error)(f"In the column {name!r}: {error}") from None
        return Inputs(list(zip(*sides, strict=True)), columns=tuple(columns) if named else None)
    if columns is not None and len(columns) != 1:
        raise ValueError(_too_many_columns(columns))
    values = _flatten(X) if columns is None else next(iter(columns.values()))
    if not values:
        raise ValueError("X is empty: found 0 texts while a minimum of 1 is required.")
    gaps = [i for i, value in enumerate(values) if is_missing(value)]
    if gaps and missing == "empty":
        values = ["" if is_missing(value) else value for value in values]
    elif gaps:
        raise ValueError(
            f"X has {len(gaps)} missing value(s) among {_which(values, start)} (first at index "
            f"{start + gaps[0]}: {values[gaps[0]]!r}). Drop these rows, or pass missing='empty' to "
            "the estimator to read them as empty texts."
        )
    wrong = [i for i, value in enumerate(values) if not isinstance(value, str)]
    if wrong:
        kind = type(values[wrong[0]]).__name__
        hint = {
            "bytes": "Decode them: [x.decode() for x in X].",
            "tuple": _hint_of_sequences(values),
            "list": _hint_of_sequences(values),
            "dict": "For one column of records, pass X['...'].",
        }.get(kind, "Convert them, for example with [str(x) for x in X].")
        raise TypeError(
            f"X has to hold str, but {len(wrong)} of {len(values)} are not (first at index "
            f"{start + wrong[0]}: {kind}). {hint}"
        )
    if fitting:
        _check_blank(values)
    return Inputs([_clean(value) for value in values])


def _which(values: list[Any], start: int) -> str:
    """Say which texts were validated: of an iterator, a part."""
    return f"the texts {start} to {start + len(values) - 1}" if start else f"{len(values)} texts"


def _columns(X: Any) -> dict[str, list[Any]] | None:
    """Give the columns of a frame by name; None if X is no frame."""
    import narwhals as nw

    native = nw.from_native(X, pass_through=True, eager_only=True)
    if not isinstance(native, nw.DataFrame):
        return None
    # Columns are taken by position, since a frame made of an array has numbers as names.
    return {str(column.name): column.to_list() for column in native.iter_columns()}


def _sides(X: Any) -> dict[str, list[Any]]:
    """Give the sides of pairs in an array or a list as columns."""
    rows = X.tolist() if isinstance(X, np.ndarray) and X.ndim == 2 else _flatten(X)
    single = [i for i, row in enumerate(rows) if not isinstance(row, tuple | list)]
    if single:
        raise ValueError(
            f"X holds single texts (first at index {single[0]}: {type(rows[single[0]]).__name__}), "
            "but with pairs=True each input is a pair of texts: pass a frame of two columns, or "
            "tuples of two texts."
        )
    longest = max(map(len, rows), default=2)
    return {str(i): [row[i] if i < len(row) else None for row in rows] for i in range(longest)}


def _counted(columns: dict[str, list[Any]]) -> str:
    """Count columns and name the first of them, for messages."""
    named = ", ".join(list(columns)[:5]) + (", ..." if len(columns) > 5 else "")
    return f"{len(columns)} column{'s' if len(columns) != 1 else ''} ({named})"


def _too_many_columns(columns: dict[str, list[Any]]) -> str:
    """Say what to pass in place of a frame of several columns."""
    texts = [name for name, values in columns.items() if any(isinstance(v, str) for v in values)]
    first = texts[0] if texts else "..."
    message = f"X has {_counted(columns)}, but one column of texts is expected: pass X[{first!r}]."
    if len(columns) == 2:
        return message + (
            " If each row is a pair of texts, such as a question and an answer, say so by "
            "pairs=True."
        )
    return message + (
        " Several columns are encoded apart by sklearn.compose.ColumnTransformer([(name, "
        "TransferTextEncoder(), name), ...]), followed by a classifier."
    )


def _hint_of_sequences(values: list[Any]) -> str:
    """Say what to do with a list of lists or tuples."""
    lengths = {len(value) for value in values if isinstance(value, tuple | list)}
    if lengths == {1}:
        return "Take the text out of each: [x[0] for x in X]."
    if lengths == {2}:
        return "If each is a pair of texts, say so by pairs=True."
    return "If each holds the words of a text, join them: [' '.join(x) for x in X]."


def _flatten(X: Any) -> list[Any]:
    import narwhals as nw
    from scipy.sparse import issparse

    if isinstance(X, str | bytes):
        raise ValueError(
            f"X has to be a collection of texts, got one {type(X).__name__}. For a single text "
            "pass [text]."
        )
    if X is None or issparse(X) or isinstance(X, dict | set | frozenset):
        raise TypeError(
            f"X has to be a list, array, Series or one-column frame of str, got {type(X).__name__}."
        )
    native = nw.from_native(X, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.Series):
        return native.to_list()
    if isinstance(X, np.ndarray):
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"X has the shape {X.shape}, but one text for each row is expected: pass one "
                "column, X[:, 0]. If each row is a pair of texts, say so by pairs=True."
            )
        return X.tolist()
    if hasattr(X, "to_pylist"):
        return X.to_pylist()
    if not isinstance(X, Iterable):
        raise TypeError(
            f"X has to be a list, array, Series or one-column frame of str, got {type(X).__name__}."
        )
    return list(X)


def _check_blank(values: list[str]) -> None:
    blank = [i for i, value in enumerate(values) if not value.strip()]
    if len(blank) == len(values):
        raise ValueError(
            f"X has no text: all {len(values)} are empty or blank (first at index {blank[0]})."
        )
    if blank:
        warn_user(
            f"{len(blank)} of {len(values)} texts in X are empty or blank (first at index "
            f"{blank[0]}); they are trained on as they are."
        )


def _clean(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(text)


# Of whole data: so many texts, spread over all of them, and so much of each one.
_N_TEXTS = 200
_N_CHARACTERS = 200
# So many texts are looked at, from all over the data.
_LOOKED_AT = 50
_SUFFIX = re.compile(r"\w\.\w{2,5}$")
# Characters of a path at most; a longer text is no path, whatever it ends in.
_LONGEST = 1000


def warn_of_giants(texts: Sequence[Any]) -> None:
    """Warn of texts of which an encoder that truncates reads hardly anything.

    Parameters
    ----------
    texts : sequence of n str, or of n tuples of two str
        To be predicted.
    """
    sizes = [len(x) if isinstance(x, str) else max(map(len, x)) for x in texts]
    giants = [i for i, size in enumerate(sizes) if size > _GIANT]
    if giants:
        warn_user(
            f"{len(giants)} of {len(sizes)} texts are longer than {_GIANT:,} characters (first at "
            f"index {giants[0]}, {sizes[giants[0]]:,} characters), of which the encoder reads a "
            "small part: cut them into parts, and predict each.",
            about="giant texts",
        )


def warn_of_paths(texts: Sequence[Any]) -> None:
    """Warn where most texts are paths of files, whose names would be learned.

    Parameters
    ----------
    texts : sequence of n str, or of n pairs of str
        To be trained on.
    """
    rng = np.random.default_rng(0)
    which = np.sort(rng.choice(len(texts), min(len(texts), _LOOKED_AT), replace=False))
    looked_at = [texts[i] for i in which]
    if 2 * sum(map(_ends_like_a_path, looked_at)) <= len(looked_at):
        return  # without importing other modalities
    for modality in modality_classes():
        formats = modality.formats()
        paths = [path for path in (_path_in(text, formats) for text in looked_at) if path]
        if 2 * len(paths) > len(looked_at):
            warn_user(
                f"X looks like paths of {formats.plural} ({paths[0]!r}), and their names are "
                f"trained on as texts. Estimators of {formats.plural} read the files themselves, "
                f"such as {_estimator_of(modality)}; on the command line, name the column of paths "
                f"with --{modality.name} COLUMN."
            )
            return


def _ends_like_a_path(text: Any) -> bool:
    """Tell whether a text, or a side of a pair, ends like the name of a file."""
    sides = text if isinstance(text, tuple) else (text,)
    return any(_SUFFIX.search(side[-_LONGEST:].rstrip()) for side in sides)


def _path_in(text: Any, formats: FileFormats) -> str | None:
    """Give the text, or the side of a pair, that is the path of a file."""
    for each in text if isinstance(text, tuple) else (text,):
        name = each.strip()
        if len(name) > _LONGEST or "\n" in name or "://" in name or not formats.is_known(name):
            continue
        # "fix logo.png" is a text that somebody may write, unless there is such a file.
        if not any(map(str.isspace, name)) or os.path.exists(name):
            return each
    return None


def _estimator_of(modality: type[Modality]) -> str:
    """Name an estimator of a modality."""
    names = [i.name for i in available("estimator") if i.factory().modality == modality.name]
    return names[0] if names else f"those of the modality {modality.name!r}"


def share_not_latin(texts: Sequence[Any]) -> float:
    """Estimate which share of the letters is not Latin.

    Parameters
    ----------
    texts : sequence of n str, or of n tuples of str
        A sample of bounded size is read.

    Returns
    -------
    share : float
        From 0 to 1; 0 where there is no letter, as in digits and emoji.

    Examples
    --------
    >>> from sktransfer.modalities.text.validation import share_not_latin
    >>> share_not_latin(["déjà vu", "да"])
    0.25
    >>> share_not_latin(["12:30", "🎉"])
    0.0
    """
    # Rounded up, so that texts are sampled evenly and never more than _N_TEXTS of them.
    every = -(-len(texts) // _N_TEXTS)
    sample = []
    for text in texts[::every]:
        sides = text if isinstance(text, tuple) else (text,)
        sample += [side[:_N_CHARACTERS] for side in sides]
    # Normalised, since mathematical and full-width letters are Latin, too.
    counts = Counter(unicodedata.normalize("NFKC", "".join(sample)))
    letters = {each: n for each, n in counts.items() if each.isalpha()}
    if not letters:
        return 0.0
    other = sum(n for each, n in letters.items() if not _is_latin(each))
    return other / sum(letters.values())


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN ")
