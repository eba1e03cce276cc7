"""Studies that outlive a process: going on, sharing, and what is refused."""

from __future__ import annotations

import json
import os
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
from optuna.trial import TrialState
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from sktransfer import TransferSearchCV
from sktransfer.tuning._history import settings_of
from sktransfer.tuning._liveness import is_gone, this_process

X, Y = make_classification(90, 6, random_state=0)
SPACE = {"C": FloatDistribution(1e-3, 1e3, log=True)}
SCRIPT = Path(__file__).with_name("_script.py")


def quick(storage, **params):
    settings = {"n_trials": 6, "cv": 3, "random_state": 0, "refit": False, **params}
    space = settings.pop("space", SPACE)
    return TransferSearchCV(LogisticRegression(), space, storage=storage, **settings)


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


def test_ctrl_c_puts_the_running_trial_back(tmp_path):
    class Interrupted(LogisticRegression):
        n_fits = 0

        def fit(self, X, y):
            type(self).n_fits += 1
            if type(self).n_fits == 8:
                raise KeyboardInterrupt
            return super().fit(X, y)

    search = quick(tmp_path / "s.db").set_params(estimator=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert [trial.state for trial in load(tmp_path / "s.db").trials][-1] == TrialState.WAITING
    search.fit(X, Y)
    # 6 trials of 3 folds, and the one fold that was interrupted; finished ones are not repeated.
    assert Interrupted.n_fits <= 6 * 3 + 1
    whole = quick(None).fit(X, Y).cv_results_
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], whole["mean_test_score"])


def test_ctrl_c_while_parameters_are_chosen_leaves_nothing_to_wait_for(tmp_path, monkeypatch):
    from sktransfer.tuning import _loop

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_loop, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            quick(tmp_path / "s.db").fit(X, Y)
    assert len(quick(tmp_path / "s.db", timeout=60).fit(X, Y).cv_results_["params"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"C": FloatDistribution(1, 2)}}, "exists with another search_space: C differ"),
        ({"scoring": "f1"}, "exists with scoring=None, not 'f1'"),
        ({"cv": 4}, "exists with other folds"),
        ({"cv": KFold(3, shuffle=True)}, "exists with other folds"),
    ],
)
def test_a_study_about_something_else_is_refused_before_anything_is_fitted(
    tmp_path, change, message
):
    quick(tmp_path / "s.db", n_trials=1).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        quick(tmp_path / "s.db", **change).fit(X, Y)
    assert len(load(tmp_path / "s.db").trials) == 1


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
