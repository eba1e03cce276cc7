"""One fitted model may be used by several threads, and several models may train at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sktransfer import TransferTextClassifier, load


@pytest.fixture(scope="module")
def data(movie):
    return list(movie[0][:80]), movie[1][:80]


@pytest.fixture(scope="module")
def fitted(data, tiny_model):
    clf = TransferTextClassifier(
        tiny_model, freeze="full", max_epochs=1, max_length=32, random_state=0
    )
    return clf.fit(*data)


def proba_of_parts(model, X, n_threads):
    parts = [X[i : i + 10] for i in range(0, len(X), 10)] * 4
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(model.predict_proba, parts))


@pytest.mark.parametrize("cache", [None, "memory"])
def test_predictions_in_threads_are_those_of_one_thread(fitted, data, cache):
    fitted.set_params(cache=cache)
    for found, expected in zip(
        proba_of_parts(fitted, data[0], 8), proba_of_parts(fitted, data[0], 1), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_loaded_model_is_built_once_though_several_threads_ask_for_it(
    fitted, data, tmp_path, monkeypatch
):
    from sktransfer.training.state import ModelState

    fitted.set_params(cache=None).save(tmp_path / "m")
    expected = proba_of_parts(fitted, data[0], 1)
    built, build = [], ModelState.build

    def counted(self, *args):
        built.append(args)
        return build(self, *args)

    monkeypatch.setattr(ModelState, "build", counted)
    for found, wanted in zip(
        proba_of_parts(load(tmp_path / "m"), data[0], 8), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    assert len(built) == 1


def test_trainings_in_threads_give_the_bits_of_trainings_one_after_the_other(data, tiny_model):
    def train(seed):
        clf = TransferTextClassifier(
            tiny_model, freeze="full", max_epochs=1, max_length=32, random_state=seed
        )
        return clf.fit(data[0][:32], data[1][:32]).predict_proba(data[0][:8])

    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(train, range(3)))
    for found, seed in zip(at_once, range(3), strict=True):
        np.testing.assert_array_equal(found, train(seed))


def test_a_model_predicts_while_another_one_trains(fitted, data, tiny_model):
    expected = fitted.predict_proba(data[0])
    other = TransferTextClassifier(
        tiny_model, freeze="full", max_epochs=4, max_length=32, random_state=1
    )
    with ThreadPoolExecutor(2) as pool:
        training = pool.submit(other.fit, *data)
        found = [fitted.predict_proba(data[0])]
        while not training.done():
            found.append(fitted.predict_proba(data[0]))
        training.result()
    for proba in found:
        np.testing.assert_array_equal(proba, expected)
