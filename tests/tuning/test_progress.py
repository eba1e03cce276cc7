"""The line that says how far a search is."""

from __future__ import annotations

import os
import pty
import re
import threading
import time

import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import NopPruner, ThresholdPruner
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from sktransfer import TransferSearchCV
from sktransfer.tuning import SearchProgress, progress

X, Y = make_classification(120, 6, random_state=0)


class Fussy(LogisticRegression):
    def fit(self, X, y):
        if self.C == 3.0:
            raise RuntimeError("not this one")
        return super().fit(X, y)

    def score(self, X, y):
        return 0.0 if self.C == 5.0 else super().score(X, y)


def watched(estimator=None, space=None, **params):
    search = TransferSearchCV(
        estimator or LogisticRegression(),
        space or {"C": FloatDistribution(1e-3, 1e3, log=True)},
        **{"n_trials": 4, "cv": 2, "random_state": 0} | params,
    )
    return search.set_callbacks(SearchProgress())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_last_line_says_what_came_out(capfd, n_jobs):
    search = watched(n_jobs=n_jobs).fit(X, Y)
    out, err = capfd.readouterr()
    assert out == ""
    # Where there is no terminal, each trial has a line.
    lines = err.splitlines()
    assert [line.split(" trials")[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert all("best 0." in line for line in lines)
    assert f"best {search.best_score_:.4f} (trial {search.best_index_})" in " ".join(err.split())
    assert not progress._LINES


@pytest.mark.filterwarnings("ignore:.*trials failed")
def test_trials_that_failed_or_were_pruned_are_counted(capfd):
    space = {"C": [1.0, 3.0, 5.0]}
    pruner = ThresholdPruner(lower=0.6)
    search = watched(Fussy(), space, n_trials=3, pruner=pruner).fit(X, Y)
    states = search.cv_results_["trial_state"].tolist()
    said = " ".join(capfd.readouterr().err.split())
    assert states.count("fail")
    assert f"{states.count('fail')} failed" in said
    assert states.count("pruned")
    assert f"{states.count('pruned')} pruned" in said


def test_the_line_ends_with_an_error_too(capfd):
    with pytest.raises(RuntimeError, match="not this one"):
        watched(Fussy(), {"C": [3.0]}, error_score="raise").fit(X, Y)
    assert not progress._LINES
    assert "1/4 trials" in capfd.readouterr().err


def test_what_other_calls_have_done_counts(capfd, tmp_path):
    watched(storage=tmp_path / "study.db", n_trials=3).fit(X, Y)
    watched(storage=tmp_path / "study.db", n_trials=5).fit(X, Y)
    lines = capfd.readouterr().err.splitlines()
    first, second = (line for line in lines if line.startswith(("3/3", "5/5")))
    assert "3/3 trials" in first
    assert "5/5 trials" in second


def test_each_search_of_a_cross_validation_has_its_line(capfd):
    search = clone(watched()).set_callbacks(SearchProgress())
    cross_validate(search, X, Y, cv=3)
    assert capfd.readouterr().err.count("4/4 trials") == 3


def test_nested_searches_have_a_line_each_and_leave_no_thread(capfd):
    inner = watched(n_trials=2)
    watched(inner, {"n_trials": [2, 3]}, n_trials=2, pruner=NopPruner()).fit(X, Y)
    said = capfd.readouterr().err
    assert said.count("2/2 trials") + said.count("3/3 trials") >= 5
    # rich tells its thread to end, and does not wait for it.
    for thread in threading.enumerate():
        if type(thread).__name__ == "_RefreshThread":
            thread.join(timeout=10)
            assert not thread.is_alive()
    assert not progress._LINES


def test_other_estimators_may_be_given_it(capfd):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    make_pipeline(StandardScaler()).set_callbacks(SearchProgress()).fit(X, Y)
    assert capfd.readouterr() == ("", "")


def shown_by(monkeypatch, **params):
    """Search on a terminal; give what it shows."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        watched(**params).fit(X, Y)
        terminal.flush()
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    return shown


def test_a_terminal_shows_the_time_that_is_left(monkeypatch):
    shown = shown_by(monkeypatch, n_jobs=1)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(r"\d:\d\d:\d\d left", plain)


def test_a_terminal_shows_the_fold_that_is_being_fitted(monkeypatch):
    class Slow(LogisticRegression):
        def fit(self, X, y):
            time.sleep(0.6)  # the line is drawn twice a second
            return super().fit(X, y)

    shown = shown_by(monkeypatch, estimator=Slow(), n_trials=1, n_jobs=1, pruner=NopPruner())
    assert "fold 1/2" in shown
    assert "fold 2/2" in shown
