"""Predictions in processes that were forked, as by ``datasets.map(num_proc=2)``."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import warnings

import pytest

from sktransfer import TransferTextClassifier

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


if __name__ == "__main__":
    main(int(sys.argv[1]))
