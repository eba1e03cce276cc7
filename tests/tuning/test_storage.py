"""Studies that outlive a process: going on, sharing, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import NopPruner
from optuna.samplers import GridSampler
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import KFold, cross_validate
from sqlalchemy import create_engine, text

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer._compat.optuna import ask, heartbeat, trial_of
from sktransfer.tuning._retries import (
    current_trials,
    requeue_interrupted_trial,
    requeue_stale_trials,
)

X, Y = make_classification(90, 6, random_state=0)
SPACE = {"C": FloatDistribution(1e-3, 1e3, log=True)}
SCRIPT = Path(__file__).with_name("_script.py")
FIRST_FORMAT = Path(__file__).with_name("first_format_study.db")


def quick(storage, estimator=None, **params):
    settings = {"n_trials": 6, "cv": 3, "random_state": 0, "refit": False, **params}
    space = settings.pop("space", SPACE)
    estimator = LogisticRegression() if estimator is None else estimator
    return TransferSearchCV(estimator, space, storage=storage, **settings)


def url_of(storage):
    return storage if "://" in str(storage) else f"sqlite:///{storage}"


def load(storage):
    return optuna.load_study(study_name="search", storage=url_of(storage))


def change(storage, *statements):
    engine = create_engine(url_of(storage))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def let_grace_period_pass(storage):
    change(storage, "UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")


def start(storage, folder, n_trials, *, kill_at_fit=None, n_processes=1):
    folder.mkdir(exist_ok=True)
    settings = {
        "storage": str(storage),
        "folder": str(folder),
        "n_trials": n_trials,
        "kill_at_fit": kill_at_fit,
        "n_processes": n_processes,
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(settings)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process, returncode=0):
    _, errors = process.communicate(timeout=240)
    assert process.returncode == returncode, errors


def kill_and_go_on(storage, folder, kills, n_trials):
    """Kill a search at each of the given fits, then let it end; give the trials."""
    values = {}
    for kill_at_fit in kills:
        wait_for(start(storage, folder, n_trials, kill_at_fit=kill_at_fit), -signal.SIGKILL)
        trials = load(storage).get_trials(deepcopy=False)
        values |= {t.number: t.values for t in trials if t.state == TrialState.COMPLETE}
        # A process evaluates one trial at a time, so that is all it can leave behind.
        assert [t.state for t in trials].count(TrialState.RUNNING) == 1
        let_grace_period_pass(storage)
    wait_for(start(storage, folder, n_trials))
    trials = load(storage).get_trials(deepcopy=False)
    assert all(trials[number].values == value for number, value in values.items())
    assert len(trials) == n_trials + len(kills)
    assert {t.state for t in current_trials(trials)} == {TrialState.COMPLETE}
    assert len(current_trials(trials)) == n_trials
    # A kill repeats the fold in which it came, and nothing else.
    assert len(list(folder.iterdir())) == 3 * n_trials + len(kills)
    return trials


@pytest.mark.slow
def test_kills_lose_no_finished_trial_and_repeat_one_fold(tmp_path):
    # In the first fold of the first trial, in a fold between, and after several trials.
    kill_and_go_on(tmp_path / "s.db", tmp_path / "fits", [0, 4, 7], n_trials=6)


@pytest.fixture
def postgresql(tmp_path):
    """A PostgreSQL server of the test's own."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders or shutil.which("initdb", path=str(folders[-1])) is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    binaries = folders[-1]
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="sktransfer-pg-"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "tuner", "--auth=trust", "--no-sync"],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder],
        user=user,
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            ready = subprocess.run(
                [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg://tuner@127.0.0.1:{port}/postgres"
    finally:
        # A terminated server waits for its clients, of which this process is one; not so this way.
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_killed_search_goes_on_in_postgresql(postgresql, tmp_path):
    kill_and_go_on(postgresql, tmp_path / "fits", [4], n_trials=3)


@pytest.mark.slow
def test_four_processes_share_a_study(tmp_path):
    storage, folder = tmp_path / "s.db", tmp_path / "fits"
    processes = [start(storage, folder, 12, n_processes=4) for _ in range(4)]
    for process in processes:
        wait_for(process)
    trials = load(storage).get_trials(deepcopy=False)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    # Between looking and asking, each of the others may have asked.
    assert 12 <= len(trials) <= 15
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    # No trial was evaluated by two of them.
    assert len(list(folder.iterdir())) == 3 * len(trials)


@pytest.mark.slow
def test_processes_that_are_killed_together_and_started_together_lose_nothing(tmp_path):
    storage, folder = tmp_path / "s.db", tmp_path / "fits"
    processes = [start(storage, folder, 8, kill_at_fit=0, n_processes=4) for _ in range(4)]
    for process in processes:
        wait_for(process, -signal.SIGKILL)
    let_grace_period_pass(storage)
    # Four have begun before.
    processes = [start(storage, folder, 8, n_processes=8) for _ in range(4)]
    for process in processes:
        wait_for(process)
    trials = load(storage).get_trials(deepcopy=False)
    retried = [t.system_attrs["failed_trial"] for t in trials if "failed_trial" in t.system_attrs]
    assert sorted(retried) == [0, 1, 2, 3]
    assert {t.state for t in current_trials(trials)} == {TrialState.COMPLETE}


def test_the_same_call_goes_on_where_an_earlier_one_ended(tmp_path):
    storage = tmp_path / "s.db"
    first = quick(storage, n_trials=3).fit(X, Y).cv_results_
    results = quick(storage).fit(X, Y).cv_results_
    assert results["params"][:3] == first["params"]
    np.testing.assert_array_equal(results["mean_test_score"][:3], first["mean_test_score"])
    assert len({params["C"] for params in results["params"]}) == 6
    again = quick(storage).fit(X, Y).cv_results_
    np.testing.assert_array_equal(again["mean_fit_time"], results["mean_fit_time"])


def test_a_seed_gives_the_same_trials_in_a_file_as_in_memory(tmp_path):
    one, other = (quick(each).fit(X, Y).cv_results_ for each in (None, tmp_path / "s.db"))
    assert one["params"] == other["params"]
    np.testing.assert_array_equal(one["mean_test_score"], other["mean_test_score"])


def test_a_grid_that_was_walked_is_not_walked_again(tmp_path):
    for _ in range(2):
        sampler = GridSampler({"C": [0.1, 1.0, 10.0]}, seed=0)
        search = quick(tmp_path / "s.db", space={"C": [0.1, 1.0, 10.0]}, sampler=sampler)
        # The estimator as it stands, and the grid.
        assert len(search.fit(X, Y).study_.trials) == 4
        assert search.stop_reason_ == "exhausted"


def leave_a_stale_trial(study, storage):
    """Take the next trial as a process that dies over it does."""
    with heartbeat(trial := ask(study)):
        trial.suggest_float("C", 1e-3, 1e3, log=True)
    let_grace_period_pass(storage)
    return trial


@pytest.mark.filterwarnings("ignore:.*trials failed")
def test_a_trial_that_three_processes_died_over_is_a_failed_one(tmp_path):
    storage = tmp_path / "s.db"
    study = quick(storage, n_trials=1).fit(X, Y).study_
    values = set()
    for _ in range(3):
        values.add(leave_a_stale_trial(study, storage).params["C"])
        # Asks for nothing but what is queued again.
        requeue_stale_trials(study)
    assert len(values) == 1
    search = quick(storage, n_trials=3).fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete", "fail", "complete"]
    assert search.cv_results_["params"][1]["C"] in values


def test_a_trial_that_others_have_queued_again_is_not_queued_twice(tmp_path):
    storage = tmp_path / "s.db"
    study = quick(storage, n_trials=1).fit(X, Y).study_
    trial = leave_a_stale_trial(study, storage)
    requeue_stale_trials(study)
    requeue_interrupted_trial(study, trial)
    assert [t.state for t in study.trials].count(TrialState.WAITING) == 1


def test_a_process_that_died_before_its_first_heartbeat_is_not_waited_for_without_end(tmp_path):
    url = url_of(tmp_path / "s.db")
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        storage = optuna.storages.RDBStorage(
            url,
            heartbeat_interval=1,
            grace_period=1,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )
    quick(storage, n_trials=1).fit(X, Y)
    ask(load(url))
    search = quick(storage, n_trials=3, timeout=120).fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete"] * 3
    assert [t.state for t in search.study_.trials].count(TrialState.FAIL) == 1


def test_trials_of_other_processes_are_not_waited_for_where_nothing_tells_whether_they_live():
    storage = optuna.storages.InMemoryStorage()
    search = quick(storage, n_trials=2).fit(X, Y)
    search.study_.ask()
    with pytest.warns(UserWarning, match=r"Trials \[2\]"):
        search.set_params(n_trials=3).fit(X, Y)
    assert len(search.cv_results_["params"]) == 2


class Interrupted(LogisticRegression):
    """Raises at one of its fits."""

    n_fits, at = 0, None

    def fit(self, X, y):
        cls = type(self)
        cls.n_fits += 1
        if cls.n_fits == cls.at:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.parametrize("pruner", [None, NopPruner()])
@pytest.mark.parametrize("at", [7, 8, 9, 12])
def test_ctrl_c_puts_the_running_trial_back_with_its_finished_folds(
    tmp_path, monkeypatch, at, pruner
):
    monkeypatch.setattr(Interrupted, "n_fits", 0)
    monkeypatch.setattr(Interrupted, "at", at)
    search = quick(tmp_path / "s.db", Interrupted(), pruner=pruner)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert [trial.state for trial in load(tmp_path / "s.db").trials][-1] == TrialState.WAITING
    results = search.fit(X, Y).cv_results_
    assert len(results["params"]) == 6
    # The one fold that was interrupted; finished ones are not repeated.
    n_folds = np.isfinite([results[f"split{i}_test_score"] for i in range(3)]).sum()
    assert Interrupted.n_fits == n_folds + 1


@pytest.mark.filterwarnings("ignore:.*trials failed")
def test_a_fit_that_fails_takes_no_other_trial_with_it(tmp_path):
    class Fussy(LogisticRegression):
        wrong = 3.0

        def fit(self, X, y):
            if type(self).wrong == self.C:
                raise RuntimeError("not this one")
            return super().fit(X, y)

    space = {"C": [1.0, 2.0, 3.0, 4.0]}
    search = quick(tmp_path / "s.db", space=space, n_trials=4, batch_size=4, error_score="raise")
    search.set_params(estimator=Fussy())
    with pytest.raises(RuntimeError, match="not this one"):
        search.fit(X, Y)
    states = {t.params["C"]: t.state for t in current_trials(load(tmp_path / "s.db").trials)}
    assert states[3.0] == TrialState.FAIL
    assert {states[C] for C in (1.0, 2.0, 4.0)} == {TrialState.WAITING}
    Fussy.wrong = None
    search.fit(X, Y)
    assert search.cv_results_["trial_state"].tolist().count("complete") == 3


def test_a_trial_that_became_stale_while_it_was_fitted_is_left_to_its_retry(tmp_path):
    storage = tmp_path / "s.db"

    class Suspended(LogisticRegression):
        n_fits = 0

        def fit(self, X, y):
            Suspended.n_fits += 1
            if Suspended.n_fits == 4:
                # As another process does after this machine was suspended; fit 4 is of trial 1.
                requeue_interrupted_trial(search.study_, trial_of(search.study_, 1))
            return super().fit(X, y)

    search = quick(storage, Suspended(), pruner=NopPruner())
    search.fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete"] * 6
    assert len(search.study_.trials) == 7


def test_ctrl_c_while_parameters_are_chosen_leaves_nothing_to_wait_for(tmp_path):
    class Interrupting(optuna.samplers.RandomSampler):
        def sample_independent(self, *args):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(tmp_path / "s.db", sampler=Interrupting()).fit(X, Y)
    assert len(quick(tmp_path / "s.db", timeout=60).fit(X, Y).cv_results_["params"]) == 6


def first_format(tmp_path):
    """Copy a study that the first format wrote; give the search that goes on with it."""
    storage = shutil.copy(FIRST_FORMAT, tmp_path / "s.db")
    clf = TransferTextClassifier("hashing", max_epochs=2, precision="fp32", random_state=0)
    space = {"freeze": ["frozen", "full"], "head__C": [0.1, 1.0]}
    return storage, quick(storage, clf, space=space, n_trials=4, cv=2, study_name="compat")


def test_a_study_of_the_first_format_is_refused_for_other_data(tmp_path):
    storage, search = first_format(tmp_path)
    with pytest.raises(ValueError, match=r"'compat' exists with .*Pass another study_name"):
        search.fit(["good", "bad"] * 6, [1, 0] * 6)
    trials = optuna.load_study(study_name="compat", storage=url_of(storage)).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3


def test_a_study_of_the_first_format_is_gone_on_with(tmp_path):
    storage, search = first_format(tmp_path)
    # Its data are not known any more; what it notes of them is replaced by the search.
    change(
        storage,
        "DELETE FROM study_user_attributes WHERE key IN ('data', 'folds', 'estimator')",
    )
    before = optuna.load_study(study_name="compat", storage=url_of(storage)).trials
    results = search.fit(["good", "bad"] * 6, [1, 0] * 6).cv_results_
    assert len(results["params"]) == 4
    assert results["params"][:3] == [trial.params for trial in before]
    np.testing.assert_array_equal(results["mean_test_score"][:3], [t.value for t in before])


def test_a_nested_search_does_not_share_trials_between_outer_folds(tmp_path):
    search = quick(tmp_path / "s.db", n_trials=2, refit=True)
    with pytest.raises(ValueError, match="exists with other data"):
        cross_validate(search, X, Y, cv=KFold(3), error_score="raise")


def test_a_fitted_search_is_loaded_without_its_database(tmp_path):
    search = quick(tmp_path / "s.db", refit=True).fit(X, Y)
    pickled = pickle.dumps(search)
    (tmp_path / "s.db").unlink()
    again = pickle.loads(pickled)
    assert not (tmp_path / "s.db").exists()
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert [t.params for t in again.study_.trials] == [t.params for t in search.study_.trials]
    assert again.study_.user_attrs == search.study_.user_attrs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"C": FloatDistribution(1, 2)}}, "exists with another search_space: C differ"),
        ({"scoring": "f1"}, "exists with scoring=None, not 'f1'"),
        ({"cv": 4}, "exists with other folds"),
        ({"cv": KFold(3, shuffle=True)}, "exists with other folds"),
        ({"estimator": LogisticRegression(tol=0.1)}, "exists with another estimator: tol differ"),
        ({"estimator": Ridge(), "space": {"alpha": [1.0]}}, "exists with another search_space"),
        ({"scoring": make_scorer(f1_score)}, "exists with scoring=None"),
    ],
)
def test_a_study_about_something_else_is_refused_before_anything_is_fitted(
    tmp_path, change, message
):
    quick(tmp_path / "s.db", n_trials=1).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        quick(tmp_path / "s.db", **change).fit(X, Y)
    assert len(load(tmp_path / "s.db").trials) == 1


@pytest.mark.parametrize("data", [(X + 1e-9, Y), (X, 1 - Y), (X[:, :5], Y)])
def test_other_data_of_the_same_size_is_refused(tmp_path, data):
    quick(tmp_path / "s.db", n_trials=1).fit(X, Y)
    with pytest.raises(ValueError, match="exists with other data"):
        quick(tmp_path / "s.db", n_trials=2).fit(*data)


def test_scorers_of_one_kind_are_told_apart(tmp_path):
    quick(tmp_path / "s.db", n_trials=1, scoring=make_scorer(f1_score)).fit(X, Y)
    other = make_scorer(f1_score, pos_label=0)
    with pytest.raises(ValueError, match="exists with scoring="):
        quick(tmp_path / "s.db", n_trials=2, scoring=other).fit(X, Y)


def test_where_and_how_loudly_something_runs_may_differ(tmp_path):
    texts, labels = ["good", "bad"] * 10, [1, 0] * 10
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    space = {"head__C": [0.1, 1.0]}
    quick(tmp_path / "s.db", clf, space=space, n_trials=1).fit(texts, labels)
    other = clone(clf).set_params(verbose=0, device="cpu", cache="memory")
    search = quick(tmp_path / "s.db", other, space=space, n_trials=2, n_jobs=2)
    for same in (np.array(texts, dtype=object), np.array(texts)):
        assert len(search.fit(same, labels).study_.trials) == 2


def test_a_study_of_another_direction_is_refused(tmp_path):
    optuna.create_study(storage=f"sqlite:///{tmp_path}/s.db", study_name="search")
    with pytest.raises(ValueError, match="its direction is minimize"):
        quick(tmp_path / "s.db").fit(X, Y)


@pytest.mark.parametrize(
    ("storage", "error", "message"),
    [
        ("/no/such/folder/s.db", ValueError, "there is no folder /no/such/folder"),
        ("nothing://x", ValueError, "not a URL of a database"),
        (3, TypeError, "storage has to be a path"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/x",
            ConnectionError,
            r"storage='postgresql\+psycopg://u:\*\*\*@127.0.0.1:1/x' cannot be reached",
        ),
        ("postgresql://u:tops@cret:1@h:5/x", ValueError, "^storage is not a URL of a database"),
        (
            "postgresql+psycopg://127.0.0.1:1/x?password=secret&user=u",
            ConnectionError,
            r"storage='postgresql\+psycopg://127.0.0.1:1/x\?user=u' cannot be reached",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(storage, error, message):
    with pytest.raises(error, match=message) as info:
        quick(storage).fit(X, Y)
    assert "secret" not in str(info.value)
