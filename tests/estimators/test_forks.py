"""Predictions in processes that were forked, as by ``datasets.map(num_proc=2)``."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import warnings

import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from sktransfer import TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.weights.global_state import GLOBAL_STATE

# Its weights are large enough for torch to copy them with several threads.
HASHING = HashingBackbone(dim=64, n_buckets=2**16)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def texts(n):
    return [f"{'good' if i % 2 else 'bad'} thing number {i}" for i in range(n)]


def _answer(clf, answers):
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = clf.predict(texts(2000)).tolist()
    answers.put((labels, torch.get_num_threads(), [str(each.message) for each in caught]))


def main(n_threads):
    import torch

    torch.set_num_threads(n_threads)
    clf = TransferTextClassifier("hashing", freeze="full", max_epochs=2, device="cpu")
    clf.fit(texts(2000), [i % 2 for i in range(2000)])
    expected = clf.predict(texts(2000)).tolist()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_answer, args=(clf, answers), daemon=True)
    process.start()
    labels, left, said = answers.get(timeout=60)
    assert labels == expected
    assert left == 1
    assert any("forked" in each for each in said) == (n_threads > 1)


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_forked_process_predicts_with_one_thread_instead_of_waiting_for_ever(n_threads):
    # A process of its own, since threads that were once started stay.
    command = [sys.executable, "-W", "ignore", __file__, str(n_threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr


# What is called in a forked process on a model that its parent has trained.
CALLS = {
    "source": lambda clf, X, y: TransferTextClassifier(
        HASHING, source=FrozenEstimator(clf), freeze="frozen", random_state=0
    ).fit(X, y),
    "partial_fit": lambda clf, X, y: clf.partial_fit(X, y),
    "pickle": lambda clf, X, y: pickle.loads(pickle.dumps(clf)),
    "copy": lambda clf, X, y: copy.deepcopy(clf),
    "save": lambda clf, X, y: clf.save(tempfile.mkdtemp() + "/model") or clf,
    "encoder_": lambda clf, X, y: clf.encoder_.transform(X) is not None and clf,
    "fit": lambda clf, X, y: clone(clf).fit(X, y),
}


def _call(name, clf, answers):
    X = texts(40)
    model = CALLS[name](clf, X, [i % 2 for i in range(40)])
    answers.put(model.predict(X).shape)


def all_calls():
    import torch

    torch.set_num_threads(2)
    clf = TransferTextClassifier(HASHING, freeze="full", max_epochs=1, device="cpu")
    clf.fit(texts(400), [i % 2 for i in range(400)])
    clf.predict(texts(400))
    context = multiprocessing.get_context("fork")
    for name in CALLS:
        answers = context.Queue()
        process = context.Process(target=_call, args=(name, clf, answers), daemon=True)
        process.start()
        assert answers.get(timeout=60) == (40,), name
        process.join(60)


@pytest.mark.slow
def test_nothing_that_is_called_on_a_trained_model_in_a_forked_process_waits_for_ever():
    command = [sys.executable, "-W", "ignore", __file__, "calls"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_process_that_is_forked_while_a_thread_trains_does_not_wait_for_that_thread():
    held, done = threading.Event(), threading.Event()

    def hold():
        with GLOBAL_STATE:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    held.wait(60)
    child = multiprocessing.get_context("fork").Process(target=_take, daemon=True)
    child.start()
    child.join(60)
    done.set()
    assert child.exitcode == 0


def _take():
    with GLOBAL_STATE:
        pass


if __name__ == "__main__":
    all_calls() if sys.argv[1] == "calls" else main(int(sys.argv[1]))
