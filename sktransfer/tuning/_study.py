"""The study of a search: opened, and compared with what is searched."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection

from sktransfer._compat.optuna import is_in_memory
from sktransfer.tuning._log_level import optuna_log_level
from sktransfer.tuning._retries import stale_trial_callback

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study

# Seconds between heartbeats, and without one until a trial is taken for stale.
_HEARTBEAT_INTERVAL, _GRACE_PERIOD = 5, 30
_SQLITE_TIMEOUT = 60
_ATTEMPTS = 10
_DEFAULT_NAME = "search"
_REASONS = {
    "data": "other data",
    "folds": "other folds, as of a cv that shuffles without random_state",
}


def open_study(storage: Any, name: str | None, sampler: BaseSampler, pruner: BasePruner) -> Study:
    """Open a study, or make it.

    Parameters
    ----------
    storage : None, str, path-like or optuna.storages.BaseStorage
        None is memory, a path an SQLite file, a URL any database that SQLAlchemy knows.
    name : str or None
        Of the study; None is ``"search"``.
    sampler : optuna.samplers.BaseSampler
        Chooses parameters.
    pruner : optuna.pruners.BasePruner
        Ends trials early.

    Returns
    -------
    study : optuna.study.Study

    Raises
    ------
    ConnectionError
        If the storage cannot be reached.
    ImportError
        If the driver of the database is missing.
    TypeError, ValueError
        If the storage is something else, or the study of that name minimizes.
    """
    study = optuna.create_study(
        storage=None if storage is None else _storage(storage),
        study_name=_DEFAULT_NAME if name is None else name,
        sampler=sampler,
        pruner=pruner,
        direction="maximize",
        load_if_exists=True,
    )
    if study.directions != [StudyDirection.MAXIMIZE]:
        directions = ", ".join(direction.name.lower() for direction in study.directions)
        raise ValueError(
            f"The study {study.study_name!r} exists, but its direction is {directions}; a search "
            "maximizes one score. Pass another study_name."
        )
    return study


def check_study_metadata(study: Study, space: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Note in a new study what is searched, or compare that with what an earlier search noted.

    Parameters
    ----------
    study : optuna.study.Study
        Of this search.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.
    about : mapping of str to object
        What else has to be equal for scores to be comparable, in values that JSON holds.

    Raises
    ------
    ValueError
        If something differs, or the study was made by something else than a search.
    """
    metadata = {
        "search_space": {key: distribution_to_json(value) for key, value in space.items()},
        **about,
    }
    has_trials = bool(study.get_trials(deepcopy=False))
    # Read after the trials, since a search notes its metadata before it asks for a trial.
    known = study.user_attrs
    if has_trials and not known:
        raise ValueError(
            f"The study {study.study_name!r} exists, but no TransferSearchCV made it: pass another "
            "study_name."
        )
    for key, value in metadata.items():
        if key not in known:
            study.set_user_attr(key, value)
        elif known[key] != value:
            raise ValueError(
                f"The study {study.study_name!r} exists with {_difference(key, value, known[key])}."
                " Pass another study_name, or what the study was made with."
            )


def _difference(key: str, value: Any, known: Any) -> str:
    if isinstance(value, dict):
        names = {*value, *known}
        changed = sorted(name for name in names if value.get(name) != known.get(name))
        return f"another {key}: {', '.join(changed)} differ"
    return _REASONS.get(key, f"{key}={known!r}, not {value!r}")


def existing_storage(storage: Any) -> BaseStorage:
    """Open the storage of an earlier search.

    Parameters
    ----------
    storage : str, path-like or optuna.storages.BaseStorage
        As `open_study` takes it.

    Returns
    -------
    storage : optuna.storages.BaseStorage

    Raises
    ------
    ConnectionError
        If it cannot be reached.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no studies.
    """
    if isinstance(storage, BaseStorage):
        return storage
    url = _url(storage)
    path = url.removeprefix("sqlite:///").partition("?")[0]
    if url.startswith("sqlite:///") and path and not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path}: no search was given it as storage.")
    from sqlalchemy import create_engine, inspect

    with _named_errors(url) as shown:
        # Optuna would create its tables, perhaps in the database of another program.
        engine = create_engine(url)
        tables = inspect(engine).get_table_names()
        engine.dispose()
    if "studies" not in tables:
        raise ValueError(f"storage={shown!r} holds no studies.")
    return _storage(storage)


def _url(storage: Any) -> str:
    """Turn a path or a URL into a URL."""
    if not isinstance(storage, str | os.PathLike):
        raise TypeError(
            "storage has to be a path, a URL, a storage of optuna.storages or None, got "
            f"{storage!r}."
        )
    url = os.fspath(storage)
    if "://" in url:
        return url
    path = Path(url).expanduser().absolute()
    if not path.parent.is_dir():
        raise ValueError(f"storage={url!r}: there is no folder {path.parent}.")
    if path.is_dir():
        raise ValueError(f"storage={url!r} is a folder; a file is expected.")
    return f"sqlite:///{path}"


def _storage(storage: Any) -> BaseStorage:
    """Turn what a user gives into a storage."""
    if isinstance(storage, BaseStorage):
        return storage
    url = _url(storage)
    settings: dict[str, Any] = {}
    if url.startswith("sqlite"):
        settings = {"connect_args": {"timeout": _SQLITE_TIMEOUT}}
    with _named_errors(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                return RDBStorage(
                    url,
                    engine_kwargs=settings,
                    heartbeat_interval=_HEARTBEAT_INTERVAL,
                    grace_period=_GRACE_PERIOD,
                    heartbeat_stale_trial_callback=stale_trial_callback(),
                )
            except Exception as error:
                # Processes that begin in the same moment make the same tables; one of them wins.
                made = any(word in str(error) for word in ("already exists", "UNIQUE", "unique"))
                if not (made and attempts_left):
                    raise
                time.sleep(0.2)
    raise AssertionError("the last attempt either returns or raises")


@contextlib.contextmanager
def _named_errors(url: str) -> Iterator[str]:
    """Give a URL without its password, and say what is wrong with it."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    no_url = (
        "storage is no URL of a database: postgresql://user@host/name is one, and a path is an "
        "SQLite file."
    )
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        # What is wrong with it may be a password with an @ in it.
        raise ValueError(no_url) from None
    hidden = [key for key in made.query if "pass" in key.lower()]
    shown = made.difference_update_query(hidden).render_as_string(hide_password=True)
    try:
        yield shown
    except NoSuchModuleError as error:
        raise ValueError(no_url) from error
    except ImportError as error:
        hint = " pip install 'sktransfer[postgresql]'." if url.startswith("postgresql") else ""
        reason = str(error).rstrip(" .")
        raise ImportError(f"storage={shown!r} needs a driver: {reason}.{hint}") from error
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ConnectionError(f"storage={shown!r} cannot be reached: {reason}") from error


def in_memory(study: Study) -> Study:
    """Copy a study into memory, with all trials and attributes; one that is there is returned."""
    if is_in_memory(study):
        return study
    with optuna_log_level():
        copy = optuna.create_study(
            study_name=study.study_name,
            direction="maximize",
            sampler=study.sampler,
            pruner=study.pruner,
        )
    copy.add_trials(study.get_trials())
    for key, value in study.user_attrs.items():
        copy.set_user_attr(key, value)
    return copy
