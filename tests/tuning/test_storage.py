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

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.tuning import _study
from sktransfer.tuning._history import settings_of
from sktransfer.tuning._liveness import is_gone, this_process

X, Y = make_classification(90, 6, random_state=0)
SPACE = {"C": FloatDistribution(1e-3, 1e3, log=True)}
SCRIPT = Path(__file__).with_name("_script.py")


def quick(storage, estimator=None, **params):
    settings = {"n_trials": 6, "cv": 3, "random_state": 0, "refit": False, **params}
    space = settings.pop("space", SPACE)
    estimator = LogisticRegression() if estimator is None else estimator
    return TransferSearchCV(estimator, space, storage=storage, **settings)


def load(storage):
    url = storage if "://" in str(storage) else f"sqlite:///{storage}"
    return optuna.load_study(study_name="search", storage=url)


def start(storage, out, n_trials, slowness):
    command = [sys.executable, str(SCRIPT), str(storage), str(out), str(n_trials), str(slowness)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def n_ended(storage):
    try:
        return sum(trial.state.is_finished() for trial in load(storage).get_trials(deepcopy=False))
    except Exception:  # not made yet, or just being made
        return 0


def kill_and_go_on(storage, out, delays, n_trials=8, slowness=0.04):
    """Kill the search a while after each start; check what is left; let the last one end."""
    finished: dict[int, list[float]] = {}
    for delay in delays:
        before = n_ended(storage)
        process = start(storage, out, n_trials, slowness)
        while n_ended(storage) <= before and process.poll() is None:
            time.sleep(0.02)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        trials = load(storage).get_trials(deepcopy=False)
        for trial in trials:
            if trial.number in finished:
                assert trial.values == finished[trial.number]
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                finished[trial.number] = trial.values
        # A process evaluates one trial at a time, so that is all it can leave behind.
        assert sum(trial.state == TrialState.RUNNING for trial in trials) <= 1
    process = start(storage, out, n_trials, slowness)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    trials = load(storage).get_trials(deepcopy=False)
    assert all(trial.state.is_finished() for trial in trials)
    assert len(settings_of(trials)) == n_trials
    assert len(trials) <= n_trials + len(delays)
    for number, values in finished.items():
        assert trials[number].values == values
    return trials


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path):
    whole = start(tmp_path / "whole.db", tmp_path / "whole.json", 8, 0)
    _, errors = whole.communicate(timeout=240)
    assert whole.returncode == 0, errors
    delays = np.random.default_rng(0).uniform(0, 0.1, size=1)
    kill_and_go_on(tmp_path / "killed.db", tmp_path / "killed.json", delays)
    one, other = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "killed")
    )
    assert other == one


@pytest.mark.slow
def test_ten_kills_lose_no_finished_trial(tmp_path):
    delays = np.random.default_rng(1).uniform(0, 0.15, size=10)
    trials = kill_and_go_on(tmp_path / "s.db", tmp_path / "s.json", delays, n_trials=14)
    # Each kill repeats one trial at most, and each setting is taken up again once.
    retries = [trial for trial in trials if "failed_trial" in trial.system_attrs]
    assert len(retries) <= len(delays)


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
    kill_and_go_on(postgresql, tmp_path / "s.json", [0.05], n_trials=4)


@pytest.mark.slow
def test_four_processes_share_a_study(tmp_path):
    storage = tmp_path / "s.db"
    processes = [start(storage, tmp_path / f"{i}.json", 16, 0.02) for i in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    trials = load(storage).get_trials(deepcopy=False)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    # Between looking and asking, each of the others may have asked.
    assert 16 <= len(trials) <= 19
    assert len({tuple(sorted(trial.params.items())) for trial in trials}) == len(trials)
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({trial.user_attrs["process"]["pid"] for trial in trials}) > 1


def test_the_same_call_goes_on_where_an_earlier_one_ended(tmp_path):
    storage = tmp_path / "s.db"
    whole = quick(None).fit(X, Y).cv_results_
    quick(storage, n_trials=3).fit(X, Y)
    search = quick(storage).fit(X, Y)
    assert search.cv_results_["params"] == whole["params"]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], whole["mean_test_score"])
    again = quick(storage).fit(X, Y)
    assert len(again.study_.trials) == 6
    one, other = (s.cv_results_["mean_fit_time"] for s in (search, again))
    np.testing.assert_array_equal(other, one)


def test_a_grid_that_was_walked_is_not_walked_again(tmp_path):
    for _ in range(2):
        sampler = GridSampler({"C": [0.1, 1.0, 10.0]}, seed=0)
        search = quick(tmp_path / "s.db", space={"C": [0.1, 1.0, 10.0]}, sampler=sampler)
        assert len(search.fit(X, Y).study_.trials) == 3


@pytest.mark.parametrize("pruner", [None, NopPruner()])
@pytest.mark.parametrize("at", [7, 8, 9, 12])
def test_ctrl_c_puts_the_running_trial_back_with_its_finished_folds(tmp_path, at, pruner):
    class Interrupted(LogisticRegression):
        n_fits = 0

        def fit(self, X, y):
            type(self).n_fits += 1
            if type(self).n_fits == at:
                raise KeyboardInterrupt
            return super().fit(X, y)

    search = quick(tmp_path / "s.db", pruner=pruner).set_params(estimator=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert [trial.state for trial in load(tmp_path / "s.db").trials][-1] == TrialState.WAITING
    search.fit(X, Y)
    whole = quick(None, pruner=pruner).fit(X, Y).cv_results_
    # The one fold that was interrupted; finished ones are not repeated.
    assert (
        Interrupted.n_fits
        == np.isfinite([whole[f"split{i}_test_score"] for i in range(3)]).sum() + 1
    )
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], whole["mean_test_score"])


def test_a_death_after_an_interruption_is_the_first(tmp_path):
    storage = tmp_path / "s.db"
    search = quick(storage, n_trials=1).fit(X, Y)
    study = search.study_
    asked = study.ask()
    _study.requeue(study, study.trials[asked.number])
    for deaths in (1, 2):
        again = study.ask()
        again.set_user_attr("process", {**this_process(), "started": "before"})
        _study.retry_the_dead(study)
        waiting = [t for t in study.trials if t.state == TrialState.WAITING]
        assert len(waiting) == (deaths == 1)


def test_a_process_that_died_before_it_gave_its_name_is_not_waited_for(tmp_path):
    storage = tmp_path / "s.db"
    quick(storage, n_trials=1).fit(X, Y)
    # As it is left behind by a process that is killed between asking and giving its name.
    load(storage).ask()
    search = quick(storage, n_trials=3).fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete"] * 3
    assert [t.state for t in search.study_.trials].count(TrialState.FAIL) == 1


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
    states = {t.params["C"]: t.state for t in settings_of(load(tmp_path / "s.db").trials)}
    assert states[3.0] == TrialState.FAIL
    assert {states[C] for C in (1.0, 2.0, 4.0)} == {TrialState.WAITING}
    Fussy.wrong = None
    search.fit(X, Y)
    assert search.cv_results_["trial_state"].tolist().count("complete") == 3


def test_a_trial_that_was_taken_away_while_it_was_asked_for_is_left_alone(tmp_path, monkeypatch):
    from sktransfer.tuning import _loop

    real, taken = _loop.ask, []

    def ask(trial, *arguments):
        if not taken:
            taken.append(trial.number)
            _study.requeue(trial.study, trial.study.trials[trial.number])
        return real(trial, *arguments)

    monkeypatch.setattr(_loop, "ask", ask)
    search = quick(tmp_path / "s.db").fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete"] * 6
    assert len(search.study_.trials) == 7


@pytest.mark.slow
def test_processes_that_are_killed_together_and_started_together_lose_nothing(tmp_path):
    storage = tmp_path / "s.db"
    for slowness in (30, 0.02):
        processes = [start(storage, tmp_path / f"{i}.json", 8, slowness) for i in range(4)]
        if slowness > 1:
            while not n_asked(storage) >= 4 and all(p.poll() is None for p in processes):
                time.sleep(0.1)
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stderr.close()
            continue
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
    trials = load(storage).get_trials(deepcopy=False)
    retries = [t.system_attrs["failed_trial"] for t in trials if "failed_trial" in t.system_attrs]
    assert sorted(retries) == sorted(set(retries))
    assert len(retries) == 4
    assert not any(trial.user_attrs.get("error") for trial in trials)
    assert {t.state for t in settings_of(trials)} <= {TrialState.COMPLETE, TrialState.PRUNED}


def n_asked(storage):
    try:
        trials = load(storage).get_trials(deepcopy=False)
    except Exception:  # not made yet, or just being made
        return 0
    return sum("asked" in trial.user_attrs for trial in trials)


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


def test_ctrl_c_while_parameters_are_chosen_leaves_nothing_to_wait_for(tmp_path, monkeypatch):
    from sktransfer.tuning import _loop

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_loop, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            quick(tmp_path / "s.db").fit(X, Y)
    assert len(quick(tmp_path / "s.db", timeout=60).fit(X, Y).cv_results_["params"]) == 6


@pytest.mark.parametrize("n_trials", [8, 31])
@pytest.mark.parametrize("at", [2, 4, 7])
def test_a_trial_that_had_asked_for_some_of_its_parameters_asks_for_the_same_rest(
    tmp_path, monkeypatch, at, n_trials
):
    from sktransfer.tuning import _loop

    space = {**SPACE, "tol": FloatDistribution(1e-6, 1e-2)}
    params = {"space": space, "n_trials": n_trials}
    whole = quick(None, **params).fit(X, Y).cv_results_["params"]
    real, calls = _loop.ask, []

    def interrupted(trial, estimator, space):
        calls.append(trial.number)
        if len(calls) == at:
            trial.suggest_float("C", 1e-3, 1e3, log=True)
            raise KeyboardInterrupt
        return real(trial, estimator, space)

    monkeypatch.setattr(_loop, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(tmp_path / "s.db", **params).fit(X, Y)
    assert quick(tmp_path / "s.db", **params).fit(X, Y).cv_results_["params"] == whole


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
        ("nothing://x", ValueError, "is no URL of a database"),
        (3, TypeError, "storage has to be a path"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/x",
            ConnectionError,
            r"storage='postgresql\+psycopg://u:\*\*\*@127.0.0.1:1/x' cannot be reached",
        ),
        ("postgresql://u:tops@cret:1@h:5/x", ValueError, "^storage is no URL of a database"),
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


def test_a_process_is_gone_only_if_that_is_certain():
    assert not is_gone(this_process())
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json; from sktransfer.tuning._liveness import this_process as p;"
            "print(json.dumps(p()))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    dead = json.loads(child.stdout)
    assert is_gone(dead)
    assert not is_gone({**dead, "host": "elsewhere"})
    # The number was given to another process since.
    assert is_gone({**this_process(), "started": "1"})
    assert not any(map(is_gone, (None, {}, {"host": dead["host"]}, "x")))
