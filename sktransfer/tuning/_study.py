"""The study of a search: opened, compared with what is asked for, freed of what died."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator, Mapping
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

from sktransfer.tuning._liveness import ASKED, PROCESS, is_gone, this_process

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
# How often a setting is taken up again after the process that evaluated it had died.
_MAX_DEATHS, _DEATHS = 1, "deaths"
# Seconds for which a process may hold an SQLite study.
_TURN = 60
_MEANT = {
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
    begun = bool(study.get_trials(deepcopy=False))
    # Read after the trials: whoever made these has noted what they are about before.
    known = study.user_attrs
    if begun and not known:
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
        elif key in _MEANT:
            what = _MEANT[key]
        else:
            what = f"{key}={known[key]!r}, not {value!r}"
        raise ValueError(
            f"The study {study.study_name!r} exists with {what}. Pass another study_name, or what "
            "the study was made with."
        )


def ask(study: Study) -> Any:
    """Ask for a trial, and note that this process has it; heartbeats are sent by the search."""
    with warnings.catch_warnings(), _turn(study):
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed", UserWarning)
        trial = study.ask()
        # In the same turn: a process that is killed between the two is found out at once.
        trial.set_user_attr(PROCESS, this_process())
    return trial


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
    with _turn(study) as alone, warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            process = trial.user_attrs.get(PROCESS)
            # Between a trial and its first sign of life a process may die, too. Whose turn it is
            # knows that no other process is just there.
            begun = trial.datetime_start or datetime.now()
            unborn = alone or datetime.now() - begun > timedelta(seconds=_GRACE)
            if (process is None and unborn) or is_gone(process):
                _requeue(study, trial, _Retry(after_a_death=True))


def requeue(study: Study, trial: FrozenTrial) -> None:
    """End a trial that was interrupted, and let another one take up where it stopped.

    Parameters
    ----------
    study : optuna.study.Study
        Of this search.
    trial : optuna.trial.FrozenTrial
        Running.
    """
    with _turn(study):
        _requeue(study, trial, _Retry(after_a_death=False))


def _requeue(study: Study, trial: FrozenTrial, retry: _Retry) -> None:
    with contextlib.suppress(UpdateFinishedTrialError):  # another process was faster
        if study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
            retry(study, study.get_trials()[trial.number])


@contextlib.contextmanager
def _turn(study: Study) -> Iterator[bool]:
    """Let one process at a time decide who evaluates what, and say whether that is certain.

    Other databases lock the row of a trial while they change its state; SQLite cannot, and two
    processes would both believe that they were the one to do so.
    """
    url = getattr(getattr(study._storage, "_backend", study._storage), "url", "")
    path = url.partition("?")[0].removeprefix("sqlite:///")
    if not url.startswith("sqlite:///") or not path or path == ":memory:":
        yield False
        return
    from filelock import FileLock

    with FileLock(f"{path}.lock", timeout=_TURN):
        yield True


class _Retry(RetryHeartbeatStaleTrialCallback):
    """As Optuna does it, without the dead process's name on the new trial.

    Interruptions are not counted, deaths are: what has killed two processes may kill a third.
    """

    def __init__(self, after_a_death: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(max_retry=None, inherit_intermediate_values=True)
        self._after_a_death = after_a_death

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        for name in (PROCESS, ASKED):
            trial.user_attrs.pop(name, None)
        if self._after_a_death:
            deaths = trial.user_attrs.get(_DEATHS, 0) + 1
            if deaths > _MAX_DEATHS:
                return
            trial.user_attrs[_DEATHS] = deaths
        super().__call__(study, trial)


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
                    heartbeat_stale_trial_callback=_Retry(after_a_death=True),
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
