"""Open the study of a search, and check that it belongs to the same search."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection

from sktransfer.tuning._retries import retry_callback

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study

# Seconds between heartbeats, and without one until a trial is stale.
_HEARTBEAT_INTERVAL, _GRACE_PERIOD = 5, 30
_SQLITE_TIMEOUT = 60
_ATTEMPTS = 10
_REASONS = {
    "data": "other data",
    "folds": "other folds, such as of a cv that shuffles without random_state",
}


def open_study(storage: Any, name: str | None, sampler: BaseSampler, pruner: BasePruner) -> Study:
    """Open a study, or create it; its default name is ``"search"``.

    A storage that cannot be reached raises a ConnectionError, a missing driver an ImportError, and
    an invalid storage a TypeError or ValueError.
    """
    study = optuna.create_study(
        storage=None if storage is None else _open_storage(storage),
        study_name="search" if name is None else name,
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


def check_study_metadata(study: Study, metadata: Mapping[str, Any]) -> None:
    """Store the metadata of a search; a ValueError says how those of an earlier search differ."""
    has_trials = bool(study.get_trials(deepcopy=False))
    # Read after the trials, since a search stores its metadata before it asks for a trial.
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
        names = sorted({*value, *known})
        changed = [name for name in names if value.get(name) != known.get(name)]
        return f"another {key}: {', '.join(changed)} differ"
    return _REASONS.get(key, f"{key}={known!r}, not {value!r}")


def existing_storage(storage: Any) -> BaseStorage:
    """Open the storage of an earlier search, or raise an error if there is none."""
    if isinstance(storage, BaseStorage):
        return storage
    url = _url(storage)
    path = url.removeprefix("sqlite:///").partition("?")[0]
    if url.startswith("sqlite:///") and path and not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path}: no search was given it as storage.")
    from sqlalchemy import create_engine, inspect

    with _storage_errors(url) as shown:
        # Optuna would create its tables in any database, also in that of another program.
        engine = create_engine(url)
        tables = inspect(engine).get_table_names()
        engine.dispose()
    if "studies" not in tables:
        raise ValueError(f"storage={shown!r} holds no studies.")
    return _open_storage(storage)


def _url(storage: Any) -> str:
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


def _open_storage(storage: Any, attempts: int = _ATTEMPTS) -> BaseStorage:
    if isinstance(storage, BaseStorage):
        return storage
    url = _url(storage)
    sqlite = {"connect_args": {"timeout": _SQLITE_TIMEOUT}}
    try:
        with _storage_errors(url), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                url,
                engine_kwargs=sqlite if url.startswith("sqlite") else {},
                heartbeat_interval=_HEARTBEAT_INTERVAL,
                grace_period=_GRACE_PERIOD,
                heartbeat_stale_trial_callback=retry_callback(),
            )
    except Exception as error:
        # Of processes that create the same tables at once, only one succeeds.
        if attempts and any(word in str(error).lower() for word in ("already exists", "unique")):
            time.sleep(0.2)
            return _open_storage(storage, attempts - 1)
        raise


@contextlib.contextmanager
def _storage_errors(url: str) -> Iterator[str]:
    """Yield a URL without its password, and turn errors of its database into ours."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    no_url = (
        "storage is not a URL of a database, such as postgresql://user@host/name, nor the path of "
        "an SQLite file."
    )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The URL is not shown, since it may be invalid because of an @ in its password.
        raise ValueError(no_url) from None
    hidden = [key for key in parsed.query if "pass" in key.lower()]
    shown = parsed.difference_update_query(hidden).render_as_string(hide_password=True)
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
