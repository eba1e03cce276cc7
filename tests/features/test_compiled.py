"""compile=True: the same features, computed by what torch compiled, and nothing left behind."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from sktransfer import TransferTextClassifier, TransferTextEncoder
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.features.compiled import compiled

# torch's compiler imports what torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:40], movie[1][:40]


@pytest.fixture
def calls(monkeypatch):
    """Count the calls of what would have been compiled, and whether gradients were wanted."""
    found = []

    def compile(function, *, dynamic):
        assert dynamic is True

        def run(*args, **kwargs):
            found.append(torch.is_grad_enabled())
            return function(*args, **kwargs)

        return run

    monkeypatch.setattr(torch, "compile", compile)
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_are_computed_by_what_was_compiled(tiny_model, data, calls, precision):
    X = data[0] * 10 if precision == "bf16" else data[0]
    X = [f"{x} {i}" for i, x in enumerate(X)]  # from 256 texts on there is a copy
    settings = {"precision": precision, "random_state": 0}
    wanted = TransferTextEncoder(tiny_model, **settings).fit(X).transform(X)
    assert not calls
    found = TransferTextEncoder(tiny_model, compile=True, **settings).fit(X).transform(X)
    np.testing.assert_array_equal(found, wanted)
    assert calls


def test_fitting_and_predicting_are_compiled_but_not_training(tiny_model, data, calls):
    clf = TransferTextClassifier(
        tiny_model, freeze="frozen", compile=True, precision="fp32", random_state=0
    )
    clf.fit(*data)
    in_fit = len(calls)
    assert in_fit > 0
    clf.predict(data[0])
    assert len(calls) > in_fit
    assert "forward" not in vars(clf.net_.module_.body)
    n = len(calls)
    clf.set_params(compile=False).predict(data[0])
    assert len(calls) == n
    clf.set_params(compile=True, freeze="full", max_epochs=1).fit(*data)
    assert not any(calls)


def test_the_module_is_as_it_was_after_an_error(tiny_model):
    module = TransformerBackbone(tiny_model).load(device="cpu", random_state=0).module

    def failing(error):
        with compiled(module):
            assert "forward" in vars(module)
            raise error

    with pytest.raises(KeyError):
        failing(KeyError("x"))
    assert "forward" not in vars(module)
    error = torch._dynamo.exc.BackendCompilerFailed(compile, RuntimeError("no compiler"), None)
    with pytest.raises(RuntimeError, match=r"compile=True failed: .* a C\+\+ compiler"):
        failing(error)
    assert "forward" not in vars(module)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a CPU")
def test_torch_itself_compiles_it(tiny_model, data):
    settings = {"precision": "fp32", "random_state": 0}
    wanted = TransferTextEncoder(tiny_model, **settings).fit(data[0]).transform(data[0])
    encoder = TransferTextEncoder(tiny_model, compile=True, **settings).fit(data[0])
    torch._dynamo.reset()
    np.testing.assert_allclose(encoder.transform(data[0]), wanted, rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
