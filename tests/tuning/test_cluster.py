"""Searches on the workers of a dask cluster."""

from __future__ import annotations

import os
import signal

import joblib
import numpy as np
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sktransfer import TransferSearchCV, TransferTextClassifier

pytestmark = pytest.mark.slow


class Deadly(LogisticRegression):
    """Takes its process with it for one value."""

    def fit(self, X, y):
        if self.C == 3.0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    os.environ["OMP_NUM_THREADS"] = "1"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as running,
        distributed.Client(running),
    ):
        yield running


@pytest.fixture
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def test_results_on_a_cluster_are_those_of_one_process_to_the_last_bit(cluster, movie, one_thread):
    texts, labels = movie[0][:60], movie[1][:60]
    clf = TransferTextClassifier("hashing", max_epochs=3, random_state=0)
    space = {"freeze": ["frozen", "full", "lp_ft"], "lr": [1e-3, 1e-2]}
    search = TransferSearchCV(clf, space, n_trials=8, cv=3, random_state=0, batch_size=2)
    one = search.fit(texts, labels)
    alone, alone_best = one.cv_results_, one.predict_proba(texts)
    with joblib.parallel_config("dask"):
        two = search.fit(texts, labels)
    assert two.cv_results_["params"] == alone["params"]
    assert two.cv_results_["trial_state"].tolist() == alone["trial_state"].tolist()
    scores = [key for key in alone if key.endswith("_score")]
    assert len(scores) >= 5
    for key in scores:
        np.testing.assert_array_equal(two.cv_results_[key], alone[key])
    np.testing.assert_array_equal(two.predict_proba(texts), alone_best)


@pytest.mark.filterwarnings("ignore:.*trials failed")
def test_a_worker_of_a_cluster_that_is_killed_costs_one_trial(cluster):
    X, y = make_classification(120, 6, random_state=0)
    sampler = RandomSampler(seed=0)
    search = TransferSearchCV(Deadly(), {"C": [1.0, 3.0]}, n_trials=4, cv=2, sampler=sampler)
    with joblib.parallel_config("dask"):
        search.fit(X, y)
    states = {trial.params["C"]: trial.state for trial in search.study_.trials}
    assert states == {1.0: TrialState.COMPLETE, 3.0: TrialState.FAIL}
    failed = next(t for t in search.study_.trials if t.state == TrialState.FAIL)
    assert "a worker process died" in failed.user_attrs["error"]
    assert search.best_params_ == {"C": 1.0}
