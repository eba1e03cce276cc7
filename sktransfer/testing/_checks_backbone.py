"""What backbones are held to: loading, weights, blocks and export."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sktransfer.plugins import Backbone, Encoder, Fingerprint, available
from sktransfer.testing._check import check_of, expect
from sktransfer.testing._encoders import TOLERANCE, close, features_of, load, samples
from sktransfer.testing._fresh_process import ask_fresh_process
from sktransfer.testing._random_states import random_states, seeded
from sktransfer.testing._use import use
from sktransfer.testing._weights import changed_with, differing


@check_of(Backbone)
def check_class_attributes(plugin: Backbone) -> None:
    """What a class says about itself is what the estimator understands.

    Set the class attributes, or make them properties: `modality`, the name of a registered
    modality, to what `Encoder.prepare` accepts; `pretrained` to True, or False where the weights
    are random; `english_only` to True, or False where the weights know other languages or nothing;
    `frozen_below` to the whole number of rows per class that was measured, 0 where training is
    never worse; `lr` to a learning rate above 0 that suits the body.
    """
    modalities = [info.name for info in available("modality")]
    fits = {
        "modality": plugin.modality in modalities,
        "pretrained": isinstance(plugin.pretrained, bool),
        "english_only": isinstance(plugin.english_only, bool),
        "frozen_below": isinstance(plugin.frozen_below, int) and plugin.frozen_below >= 0,
        "lr": isinstance(plugin.lr, float | int) and plugin.lr > 0,
    }
    for name, fit in fits.items():
        more = f", which is none of {modalities}" if name == "modality" else ""
        expect(fit, f"{name} = {getattr(plugin, name)!r}{more}")


@check_of(Backbone)
def check_load_gives_encoder(plugin: Backbone) -> None:
    """`load` gives a sktransfer.plugins.Encoder with everything that one has.

    Derive the class from Encoder, or from VectorEncoder. Set its attributes when loading, among
    them `dim`, a width above 0, and `fingerprint`, whose name of the weights is not empty.
    """
    import torch

    encoder = load(plugin)
    expect(isinstance(encoder, Encoder), f"a {type(encoder).__name__} from load")
    kinds: dict[str, Any] = {"module": torch.nn.Module, "dim": int, "blocks": dict}
    kinds |= {"fingerprint": Fingerprint, "max_length": int | None}
    kinds |= dict.fromkeys(("never_train", "growing", "padded_states"), frozenset)
    kinds |= dict.fromkeys(("can_split", "trains_in_fp32", "slow_collate"), bool)
    for name, kind in kinds.items():
        value = getattr(encoder, name, "missing")
        wanted = getattr(kind, "__name__", kind)
        expect(isinstance(value, kind), f"the encoder's {name} {value!r}, not of type {wanted}")
    expect(encoder.dim > 0, f"dim={encoder.dim!r}")
    expect(encoder.fingerprint.weights, f"the fingerprint {encoder.fingerprint!r}")


@check_of(Backbone)
def check_load_is_reproducible(plugin: Backbone) -> None:
    """The same `random_state` gives equal weights, fingerprints and features.

    Seed every draw with random_state, through generators of your own. Hash weights and settings
    for the fingerprint; leave out times, paths, ids and devices. Let `prepare` and `forward` depend
    on the input and the weights only.
    """
    import torch

    with seeded(1):
        first = load(plugin)
    with seeded(2):
        second = load(plugin)
    unequal = differing(first.module.state_dict(), second.module.state_dict())
    expect(not unequal, f"different {unequal} from load at the same random_state")
    expect(
        first.fingerprint == second.fingerprint,
        f"the fingerprints {first.fingerprint!r} and {second.fingerprint!r} for equal weights",
    )
    X = samples(plugin)
    same = torch.equal(features_of(first, X), features_of(second, X))
    expect(same, "different features from equal weights")


@check_of(Backbone)
def check_fingerprint_tells_weights_apart(plugin: Backbone) -> None:
    """If another `random_state` gives other weights, it gives another fingerprint.

    Hash what the features depend on: cached features are found by the fingerprint.
    """
    first, second = load(plugin), load(plugin, random_state=1)
    expect(
        first.fingerprint != second.fingerprint
        or not differing(first.module.state_dict(), second.module.state_dict()),
        f"the fingerprint {first.fingerprint!r} for two sets of weights",
    )


@check_of(Backbone)
def check_new_process_agrees(plugin: Backbone) -> None:
    """A new process gives the same fingerprint and features.

    Use hashlib, not hash(), and sort sets.
    """
    # Another seed for str.__hash__ than ours shows whether hash() was used.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    task, environment = f"{__name__}:loaded_elsewhere", {"PYTHONHASHSEED": seed}
    answer = ask_fresh_process(plugin, task, environment=environment)
    if answer is None:
        return
    there, features = answer["result"]
    here, expected = loaded_elsewhere(plugin)
    expect(there == here, f"the fingerprint {there} in another process and {here} here")
    same = np.allclose(features, expected, atol=TOLERANCE, rtol=TOLERANCE)
    expect(same, "other features in another process")


@check_of(Backbone)
def check_loads_share_no_memory(plugin: Backbone) -> None:
    """Training one loaded encoder leaves others, earlier and later ones, as they are.

    Build or copy the module in every call of load.
    """
    first, second = load(plugin), load(plugin)
    before = {name: value.clone() for name, value in second.module.state_dict().items()}
    changed = changed_with(first.module, second.module)
    expect(not changed, f"{changed} changed in an encoder that was loaded earlier")
    changed = differing(before, load(plugin).module.state_dict())
    expect(not changed, f"{changed} changed in an encoder that was loaded later")


@check_of(Backbone)
def check_load_keeps_random_state(plugin: Backbone) -> None:
    """Loading leaves the global random state of torch, NumPy and Python as it was.

    Draw from a generator of your own, or restore the state.
    """
    with seeded(3):
        before = random_states()
        load(plugin)
        after = random_states()
    moved = [name for name in before if before[name] != after[name]]
    expect(not moved, f"another global random state of {moved} after load than before")


@check_of(Backbone)
def check_blocks_cover_parameters(plugin: Backbone) -> None:
    """Blocks are a dict of names to lists that name each parameter of the module once.

    Derive the blocks from module.named_parameters(), input side first, with at least one name in
    each list. Leave out what never_train names, and let it name parameters and buffers as
    module.state_dict() does.
    """
    encoder = load(plugin)
    blocks = encoder.blocks
    expect(
        isinstance(blocks, dict)
        and blocks
        and all(isinstance(block, str) and block for block in blocks)
        and all(isinstance(names, list) and names for names in blocks.values()),
        f"the blocks {blocks!r}",
    )
    listed = [name for names in blocks.values() for name in names]
    twice = sorted({name for name in listed if listed.count(name) > 1})
    expect(not twice, f"{twice} in more than one place of the blocks")
    unknown = sorted(encoder.never_train - set(encoder.module.state_dict()))
    expect(not unknown, f"never_train with the unknown names {unknown}")
    wanted = {n for n, _ in encoder.module.named_parameters()} - encoder.never_train
    missing, unknown = sorted(wanted - set(listed)), sorted(set(listed) - wanted)
    expect(
        not missing and not unknown, f"blocks that lack {missing} and name the unknown {unknown}"
    )


@check_of(Backbone)
def check_parameters_are_float32(plugin: Backbone) -> None:
    """All parameters are float32 and on the device that was asked for.

    Convert when loading: optimizers lose small steps in half precision.
    """
    import torch

    for name, parameter in load(plugin).module.named_parameters():
        expect(
            parameter.dtype == torch.float32 and parameter.device.type == "cpu",
            f"{name!r} in {parameter.dtype} on {parameter.device} from load(device='cpu')",
        )


@check_of(Backbone)
def check_export_loads_the_same(plugin: Backbone) -> None:
    """`export` returns a Backbone that loads the same weights from the folder.

    Return a parameter object. Write everything that features depend on, and hash contents, not
    paths.
    """
    encoder, X = load(plugin), samples(plugin)
    # A file that is still mapped cannot be removed on every system.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        exported = plugin.export(encoder, Path(folder))
        expect(isinstance(exported, Backbone), f"{exported!r} from export")
        again = load(exported)
        features = features_of(again, X)
    expect(
        again.fingerprint == encoder.fingerprint,
        f"the fingerprint {again.fingerprint!r} after export and {encoder.fingerprint!r} before",
    )
    expect(close(features, features_of(encoder, X)), "other features after export")


@use.register
def _use(plugin: Backbone) -> None:
    if not features_of(load(plugin), samples(plugin)).isfinite().all():
        raise ValueError("features that are not finite")


def loaded_elsewhere(plugin: Backbone) -> tuple[str, list[list[float]]]:
    """Give what `check_new_process_agrees` compares."""
    encoder = load(plugin)
    return str(encoder.fingerprint), features_of(encoder, samples(plugin)).tolist()
