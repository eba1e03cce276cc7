"""Private names of Optuna (tested with 5.0).

Optuna sends heartbeats, and names the storage of a study, only inside of ``Study.optimize``. A
search that evaluates the folds of several trials at once has to ask and tell by itself.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.storages._heartbeat import BaseHeartbeat, get_heartbeat_thread, is_heartbeat_enabled
from optuna.trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

_SQLITE = "sqlite:///"


def is_persistent(study: Study) -> bool:
    """Say whether a study outlives its process; a study does not tell where it is kept."""
    return not isinstance(study._storage, InMemoryStorage)


def sqlite_file(study: Study) -> str | None:
    """Give the path of a study's SQLite file, or None; Optuna wraps the storage in a cache."""
    storage = getattr(study._storage, "_backend", study._storage)
    if not isinstance(storage, RDBStorage) or not storage.url.startswith(_SQLITE):
        return None
    path = storage.url.partition("?")[0].removeprefix(_SQLITE)
    return None if path in ("", ":memory:") else path


def grace_period(study: Study) -> float | None:
    """Give the seconds without a heartbeat until a trial is stale; None without heartbeats."""
    storage: Any = study._storage
    if not is_heartbeat_enabled(storage):
        return None
    storage = getattr(storage, "_backend", storage)
    return storage.grace_period or 2 * storage.heartbeat_interval


def heartbeat(trial: Trial) -> Any:
    """Give the context in which a thread records heartbeats, as in ``Study.optimize``."""
    return get_heartbeat_thread(trial._trial_id, trial.study._storage)


def record_heartbeat(study: Study, number: int) -> None:
    """Record one heartbeat of a trial, perhaps one of another process."""
    if isinstance(study._storage, BaseHeartbeat):
        study._storage.record_heartbeat(trial_of(study, number)._trial_id)


def ask(study: Study) -> Trial:
    """Ask for a trial without the warning that only ``Study.optimize`` sends heartbeats."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
        return study.ask()


def trial_of(study: Study, number: int) -> Trial:
    """Give a trial that reports to a study; public are only those that ``Study.ask`` returned."""
    return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Ask a trial for a parameter by its distribution, whatever the kind of that is."""
    return trial._suggest(name, distribution)


def copy_in_memory(study: Study) -> Study:
    """Copy a study with its trials and attributes; one that is in memory is returned."""
    if not is_persistent(study):
        return study
    name, storage = study.study_name, InMemoryStorage()
    optuna.copy_study(from_study_name=name, from_storage=study._storage, to_storage=storage)
    return optuna.load_study(
        study_name=name, storage=storage, sampler=study.sampler, pruner=study.pruner
    )


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Say whether a distribution may give a value."""
    try:
        inner = distribution.to_internal_repr(value)
    except ValueError:
        return False
    # 1 == True, which would be another setting.
    same_kind = isinstance(value, bool) == isinstance(distribution.to_external_repr(inner), bool)
    return same_kind and distribution._contains(inner)
