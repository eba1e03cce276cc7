"""What an import loads: nothing that takes time before it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sktransfer

HEAVY = {"numpy", "scipy", "sklearn", "torch", "skorch", "transformers", "optuna", "safetensors"}
HEAVY |= {"huggingface_hub", "pandas", "polars", "pyarrow", "narwhals", "hypothesis", "pytest"}
HEAVY |= {"matplotlib"}


def loaded_by(code):
    """Run code in a new process; gives the top-level modules that are loaded afterwards."""
    code += (
        "\nimport json, sys; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import sktransfer", set()),
        ("import sktransfer; dir(sktransfer); sktransfer.__version__", set()),
        ("from sktransfer import TrainingDivergedError", {"numpy", "scipy", "sklearn"}),
        ("import sktransfer.inspection; dir(sktransfer.inspection)", set()),
        ("import sktransfer.weights; sktransfer.weights.KNOWN_WEIGHTS", set()),
        ("from sktransfer.persistence.folder import read_manifest", set()),
        (
            "from sktransfer.plugins import available, resolve\n"
            "available(); resolve('freeze', 'auto'); resolve('head', 'mlp')\n"
            "resolve('backbone', 'hashing'); resolve('backbone', 'minilm')",
            {"numpy", "scipy", "sklearn", "narwhals"},
        ),
        (
            "from sktransfer import TransferTextClassifier\n"
            "from sklearn.base import clone\n"
            "repr(clone(TransferTextClassifier('hashing', freeze='gradual')))",
            {"numpy", "scipy", "sklearn", "narwhals"},
        ),
    ],
)
def test_what_is_not_used_is_not_loaded(code, allowed):
    # What scikit-learn itself loads is its own business.
    if "sklearn" in allowed:
        allowed = allowed | loaded_by("import sklearn.base, sklearn.metrics")
    assert not (loaded_by(code) & HEAVY) - allowed


def test_wrong_data_is_refused_before_torch_is_loaded():
    code = (
        "from sktransfer import TransferTextClassifier\n"
        "try:\n    TransferTextClassifier('hashing').fit('one text', [1])\n"
        "except ValueError:\n    pass\n"
        "try:\n    TransferTextClassifier('no such backbone').fit(['text'], [1])\n"
        "except ValueError:\n    pass\n"
    )
    assert not loaded_by(code) & {"torch", "transformers", "skorch", "optuna"}


def test_every_public_name_resolves():
    code = (
        "import sktransfer, types\n"
        "for name in sktransfer.__all__:\n"
        "    value = getattr(sktransfer, name)\n"
        "    assert value is getattr(sktransfer, name), name\n"
        "    assert name in dir(sktransfer), name\n"
        "for name in ('datasets', 'plugins', 'testing', 'weights'):\n"
        "    assert isinstance(getattr(sktransfer, name), types.ModuleType), name\n"
        "from sktransfer import *\n"
        "assert TransferTextClassifier.__module__.startswith('sktransfer.')\n"
    )
    loaded_by(code)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'sktransfer' has no attribute 'no_such'"):
        sktransfer.no_such  # noqa: B018
    assert not hasattr(sktransfer, "__wrapped__")


def test_names_for_type_checkers_are_those_at_run_time():
    assert set(sktransfer._PUBLIC) | {"__version__"} == set(sktransfer.__all__)
