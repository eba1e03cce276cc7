"""The numeric precision in which an encoder runs."""

from __future__ import annotations

import pytest
import torch

from sktransfer.features import precision as module
from sktransfer.features.precision import autocast, resolve_precision


@pytest.mark.parametrize("asked", ["bf16", "fp32"])
@pytest.mark.parametrize("has_bf16", [True, False])
def test_what_was_asked_for_is_kept_whatever_the_hardware(monkeypatch, asked, has_bf16):
    monkeypatch.setattr(module, "_has_bf16", lambda kind: has_bf16)
    assert resolve_precision(asked, "cpu") == asked


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "fp32")])
@pytest.mark.parametrize(("device", "kind"), [("cpu", "cpu"), ("cuda:1", "cuda")])
def test_auto_asks_the_kind_of_hardware(monkeypatch, has_bf16, expected, device, kind):
    asked = []
    monkeypatch.setattr(module, "_has_bf16", lambda kind: asked.append(kind) or has_bf16)
    assert resolve_precision("auto", device) == expected
    assert asked == [kind]


@pytest.mark.parametrize(
    ("capability", "avx512_bf16", "amx", "expected"),
    [
        ("AVX512", True, False, "bf16"),
        ("AVX512", False, True, "bf16"),
        ("AVX512", False, False, "fp32"),  # emulated: slower than fp32
        ("AVX2", True, True, "fp32"),
        ("DEFAULT", False, False, "fp32"),
    ],
)
def test_a_cpu_has_bf16_where_it_multiplies_in_it(
    monkeypatch, capability, avx512_bf16, amx, expected
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto", "cpu") == expected


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_has_bf16_where_it_is_no_emulation(monkeypatch, has_bf16, expected):
    def is_supported(including_emulation=True):
        return True if including_emulation else has_bf16

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert resolve_precision("auto", "cuda:0") == expected


@pytest.mark.parametrize("device", ["mps", "xpu", "meta"])
def test_other_hardware_runs_in_single_precision(device):
    assert resolve_precision("auto", device) == "fp32"


def test_this_machine_is_settled():
    assert resolve_precision("auto", "cpu") in ("bf16", "fp32")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_products_run_in_the_precision_and_parameters_keep_theirs(precision, dtype):
    layer = torch.nn.Linear(3, 3)
    with autocast(precision, "cpu"):
        output = layer(torch.ones(2, 3))
    assert output.dtype == dtype
    output.float().sum().backward()
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert layer.weight.grad.dtype == torch.float32
    assert layer(torch.ones(2, 3)).dtype == torch.float32
