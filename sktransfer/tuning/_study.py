"""The study of a search: opened, compared with what is asked for, freed of what died."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import (
    BaseStorage,
    InMemoryStorage,
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
)
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sktransfer.tuning._liveness import ASKED, PROCESS, is_gone

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Seconds between signs of life, and without one until a trial is taken from another machine.
_INTERVAL, _GRACE = 5, 60
_SQLITE_PATIENCE = 60
_ATTEMPTS = 10
NAME = "search"


def open_study(storage: Any, name: str | None, sampler: BaseSampler, pruner: BasePruner) -> Study:
    """Open a study, or make it.

    Parameters
    ----------
    storage : None, str, path-like or optuna.storages.BaseStorage
        None is memory, a path an SQLite file, a URL any database that SQLAlchemy knows.
    name : str or None
        Of the study.
    sampler : optuna.samplers.BaseSampler
        Who chooses.
    pruner : optuna.pruners.BasePruner
        Who ends trials early.

    Returns
    -------
    study : optuna.study.Study

    Raises
    ------
    ConnectionError
        If the storage cannot be reached.
    ImportError
        If the database's driver is missing.
    TypeError, ValueError
        If the storage is something else, or the study of that name cannot be gone on with.
    """
    study = optuna.create_study(
        storage=None if storage is None else _storage(storage),
        study_name=NAME if name is None else name,
        sampler=sampler,
        pruner=pruner,
        direction="maximize",
        load_if_exists=True,
    )
    if study.directions != [StudyDirection.MAXIMIZE]:
        found = ", ".join(direction.name.lower() for direction in study.directions)
        raise ValueError(
            f"The study {study.study_name!r} exists, but its direction is {found}; a search "
            "maximizes one score. Pass another study_name."
        )
    return study


def claim(study: Study, space: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Note what a study is about, or compare it with what was noted.

    Parameters
    ----------
    study : optuna.study.Study
        Of this search.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.
    about : mapping of str to object
        What else has to be the same, for scores to be comparable; JSON holds it.

    Raises
    ------
    ValueError
        If the study is about something else.
    """
    facts = {
        "search_space": {key: distribution_to_json(value) for key, value in space.items()},
        **about,
    }
    known = study.user_attrs
    if not known and study.get_trials(deepcopy=False):
        raise ValueError(
            f"The study {study.study_name!r} exists, but no TransferSearchCV made it: pass another "
            "study_name."
        )
    for key, value in facts.items():
        if key not in known:
            study.set_user_attr(key, value)
            continue
        if known[key] == value:
            continue
        if isinstance(value, dict):
            changed = sorted(
                name for name in {*value, *known[key]} if value.get(name) != known[key].get(name)
            )
            what = f"another {key}: {', '.join(changed)} differ"
        elif key == "folds":
            what = "other folds: other data, or a cv that shuffles without random_state"
        else:
            what = f"{key}={known[key]!r}, not {value!r}"
        raise ValueError(
            f"The study {study.study_name!r} exists with {what}. Pass another study_name, or what "
            "the study was made with."
        )


def digest_of(folds: Sequence[Any]) -> str:
    """Name the folds of a search: equal names mean comparable scores."""
    digest = hashlib.blake2b(digest_size=16)
    for fold in folds:
        for rows in (fold.train, fold.test):
            digest.update(f"{len(rows)};".encode() + rows.astype("<i8").tobytes())
    return digest.hexdigest()


def ask(study: Study) -> Any:
    """Ask for a trial; heartbeats are sent by the search."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed", UserWarning)
        return study.ask()


def outlives(study: Study) -> bool:
    """Say whether a study is still there when this process has ended."""
    return not isinstance(study._storage, InMemoryStorage)


def retry_the_dead(study: Study) -> None:
    """Put trials whose process has died back into the queue, once each.

    Parameters
    ----------
    study : optuna.study.Study
        Of this search.
    """
    if not outlives(study):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.user_attrs.get(PROCESS)
        # Between a trial and its first sign of life a process may die, too.
        begun = trial.datetime_start or datetime.now()
        unborn = process is None and datetime.now() - begun > timedelta(seconds=_GRACE)
        if unborn or is_gone(process):
            requeue(study, trial, max_retry=1)


def requeue(study: Study, trial: FrozenTrial, max_retry: int | None = None) -> None:
    """End a trial that was interrupted, and let another one take up where it stopped.

    Parameters
    ----------
    study : optuna.study.Study
        Of this search.
    trial : optuna.trial.FrozenTrial
        Running.
    max_retry : int or None, default=None
        How often a setting is taken up again; None is always.
    """
    with contextlib.suppress(UpdateFinishedTrialError):  # another process was faster
        if study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
            _retry(max_retry)(study, study.get_trials()[trial.number])


class _Retry(RetryHeartbeatStaleTrialCallback):
    """As Optuna does it, without the dead process's name on the new trial."""

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        for name in (PROCESS, ASKED):
            trial.user_attrs.pop(name, None)
        super().__call__(study, trial)


def _retry(max_retry: int | None) -> _Retry:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _Retry(max_retry=max_retry, inherit_intermediate_values=True)


def existing_storage(storage: Any) -> BaseStorage:
    """Open what a search has written, to look at it.

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

    with _explained(url) as shown:
        # First, since Optuna would make tables in what may be the database of something else.
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
        settings = {"connect_args": {"timeout": _SQLITE_PATIENCE}}
    with _explained(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                return RDBStorage(
                    url,
                    engine_kwargs=settings,
                    heartbeat_interval=_INTERVAL,
                    grace_period=_GRACE,
                    heartbeat_stale_trial_callback=_retry(1),
                )
            except Exception as error:
                # Processes that begin in the same moment make the same tables; one of them wins.
                made = any(word in str(error) for word in ("already exists", "UNIQUE", "unique"))
                if not (made and attempts_left):
                    raise
                time.sleep(0.2)
    raise AssertionError("the last attempt either returns or raises")


@contextlib.contextmanager
def _explained(url: str) -> Iterator[str]:
    """Give a URL without its password, and say what is wrong with it."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        shown = make_url(url).render_as_string(hide_password=True)
        yield shown
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError(
            "storage is no URL of a database: postgresql://user@host/name is one, and a path is "
            "an SQLite file."
        ) from error
    except ImportError as error:
        hint = " pip install 'sktransfer[postgresql]'." if url.startswith("postgresql") else ""
        reason = str(error).rstrip(" .")
        raise ImportError(f"storage={shown!r} needs a driver: {reason}.{hint}") from error
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ConnectionError(f"storage={shown!r} cannot be reached: {reason}") from error
