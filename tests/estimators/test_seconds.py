"""How long each stage took is known in the process that trained, and kept nowhere else."""

import copy
import json
import pickle
import time

import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sktransfer import TransferTextClassifier, load


@pytest.fixture(scope="module")
def data(movie):
    return list(movie[0][:60]), movie[1][:60]


def quick(**params):
    return TransferTextClassifier("hashing", max_epochs=3, random_state=0, **params)


def test_each_stage_has_its_parts_which_add_up_to_less_than_the_whole_and_the_clock(data):
    start = time.perf_counter()
    clf = quick(freeze="lp_ft").fit(*data).partial_fit(*data)
    passed = time.perf_counter() - start
    assert [stage["stage"] for stage in clf.seconds_] == ["source", "target"]
    for stage in clf.seconds_:
        parts = [stage[name] for name in ("loading", "head", "epochs")]
        assert all(part > 0 for part in parts)
        assert sum(parts) <= stage["total"]
    assert sum(stage["total"] for stage in clf.seconds_) < passed


def test_parts_that_were_not_done_are_left_out(data):
    assert "epochs" not in quick(freeze="frozen").fit(*data).seconds_[0]
    assert "head" not in quick(freeze="full").fit(*data).seconds_[0]


def test_another_fit_forgets_the_stages_before(data):
    clf = quick(freeze="frozen").fit(*data).partial_fit(*data)
    assert len(clf.seconds_) == 2
    assert len(clf.fit(*data).seconds_) == 1


def test_copies_pickles_and_folders_do_not_hold_them(data, tmp_path):
    clf = quick(freeze="frozen").fit(*data)
    assert clf.seconds_
    assert pickle.dumps(clf) == pickle.dumps(quick(freeze="frozen").fit(*data))
    clf.save(tmp_path / "m")
    for other in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf), load(tmp_path / "m")):
        assert other.seconds_ == []
    assert "seconds" not in json.dumps(json.loads((tmp_path / "m" / "manifest.json").read_text()))
    assert "seconds_" not in vars(clf)


def test_before_a_fit_there_are_none(data):
    with pytest.raises(NotFittedError):
        quick().seconds_  # noqa: B018
    with pytest.raises(NotFittedError):
        clone(quick(freeze="frozen").fit(*data)).seconds_  # noqa: B018
