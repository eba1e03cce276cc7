"""What backbones are held to: loading, weights, blocks and export."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np

from sktransfer.plugins import Backbone, Encoder, Fingerprint
from sktransfer.testing import _checks_encoder, _checks_learning
from sktransfer.testing._encoders import (
    SAMPLES,
    TOLERANCE,
    close,
    equal_weights,
    features_of,
    load,
    random_states,
    random_states_kept,
    samples,
    seed_everything,
)
from sktransfer.testing._expect import expect
from sktransfer.testing._fresh_process import ask_fresh_process


def check_class_attributes(plugin: Backbone) -> None:
    """Check that what a class says about itself is what the estimator understands."""
    expect(
        plugin.modality in SAMPLES,
        got=f"modality = {plugin.modality!r}",
        expected=f"one of {list(SAMPLES)}",
        change="Say what `Encoder.prepare` accepts.",
    )
    expect(
        isinstance(plugin.pretrained, bool),
        got=f"pretrained = {plugin.pretrained!r}",
        expected="True, or False where the weights are random",
        change="Set the class attribute.",
    )
    expect(
        isinstance(plugin.english_only, bool),
        got=f"english_only = {plugin.english_only!r}",
        expected="True, or False where the weights know other languages or nothing",
        change="Set the attribute, or make it a property.",
    )
    expect(
        isinstance(plugin.frozen_below, int) and plugin.frozen_below >= 0,
        got=f"frozen_below = {plugin.frozen_below!r}",
        expected="a whole number of rows per class, 0 where training is never worse",
        change="Set the class attribute to what was measured.",
    )
    expect(
        isinstance(plugin.lr, float | int) and plugin.lr > 0,
        got=f"lr = {plugin.lr!r}",
        expected="a number above 0",
        change="Set the class attribute to a learning rate that suits the body.",
    )


def check_load_gives_encoder(plugin: Backbone) -> None:
    """Check that ``load`` gives an object with everything that an `Encoder` has."""
    import torch

    encoder = load(plugin)
    expect(
        isinstance(encoder, Encoder),
        got=f"a {type(encoder).__name__} from load",
        expected="a sktransfer.plugins.Encoder",
        change="Derive its class from Encoder, or from VectorEncoder.",
    )
    for name, kind in (
        ("module", torch.nn.Module),
        ("dim", int),
        ("blocks", dict),
        ("fingerprint", Fingerprint),
        ("never_train", frozenset),
        ("growing", frozenset),
        ("padded_states", frozenset),
        ("can_split", bool),
        ("trains_in_fp32", bool),
        ("slow_collate", bool),
        ("max_length", int | None),
    ):
        value = getattr(encoder, name, "missing")
        expect(
            isinstance(value, kind),
            got=f"the encoder's {name} {value!r}",
            expected=f"{getattr(kind, '__name__', kind)}",
            change=f"Set {name} when loading.",
        )
    expect(
        encoder.dim > 0 and encoder.fingerprint.weights,
        got=f"dim={encoder.dim!r} and the fingerprint {encoder.fingerprint!r}",
        expected="a width above 0, and a name of the weights that is not empty",
        change="Set dim and fingerprint when loading.",
    )


def check_load_is_reproducible(plugin: Backbone) -> None:
    """Check that the same ``random_state`` gives equal weights and an equal fingerprint."""
    import torch

    with random_states_kept():
        seed_everything(1)
        first = load(plugin)
        seed_everything(2)
        second = load(plugin)
    expect(
        equal_weights(first, second),
        got="different weights from load at the same random_state",
        expected="equal weights",
        change="Seed every draw with random_state, through generators of your own.",
    )
    expect(
        first.fingerprint == second.fingerprint,
        got=f"the fingerprints {first.fingerprint!r} and {second.fingerprint!r} for equal weights",
        expected="one fingerprint",
        change="Hash weights and settings; leave out times, paths, ids and devices.",
    )
    expect(
        torch.equal(features_of(first, samples(plugin)), features_of(second, samples(plugin))),
        got="different features from equal weights",
        expected="equal features",
        change="Let `prepare` and `forward` depend on the input and the weights only.",
    )


def check_fingerprint_tells_weights_apart(plugin: Backbone) -> None:
    """Check that if another ``random_state`` gives other weights, it gives another fingerprint."""
    first, second = load(plugin), load(plugin, random_state=1)
    expect(
        equal_weights(first, second) or first.fingerprint != second.fingerprint,
        got=f"the fingerprint {first.fingerprint!r} for two sets of weights",
        expected="different fingerprints",
        change="Hash what the features depend on: cached features are found by the fingerprint.",
    )


def check_new_process_agrees(plugin: Backbone) -> None:
    """Check that a new process gives the same fingerprint and features."""
    # Another seed for str.__hash__ than ours shows whether hash() was used.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    answer = ask_fresh_process(
        plugin, f"{__name__}:loaded_elsewhere", environment={"PYTHONHASHSEED": seed}
    )
    if answer is None:
        return
    encoder = load(plugin)
    fingerprint, features = answer["result"]
    expect(
        fingerprint == str(encoder.fingerprint),
        got=f"the fingerprint {fingerprint} in another process and {encoder.fingerprint} here",
        expected="one fingerprint",
        change="Use hashlib, not hash(), and sort sets.",
    )
    expect(
        np.allclose(
            features, features_of(encoder, samples(plugin)).numpy(), atol=TOLERANCE, rtol=TOLERANCE
        ),
        got="other features in another process",
        expected="the same features",
        change="Use hashlib, not hash(), and sort sets.",
    )


def check_loads_share_no_memory(plugin: Backbone) -> None:
    """Check that training one loaded encoder leaves others, earlier and later ones, as they are."""
    import torch

    first, second = load(plugin), load(plugin)
    before = {name: value.clone() for name, value in second.module.state_dict().items()}
    with torch.no_grad():
        for value in first.module.state_dict().values():
            if value.is_floating_point():
                value.add_(1)
    for when, encoder in (("earlier", second), ("later", load(plugin))):
        changed = [
            name
            for name, value in encoder.module.state_dict().items()
            if not torch.equal(value, before[name])
        ]
        expect(
            not changed,
            got=f"{changed} changed in an encoder that was loaded {when}",
            expected="encoders that share no memory",
            change="Build or copy the module in every call of load.",
        )


def check_load_keeps_random_state(plugin: Backbone) -> None:
    """Check that loading leaves the global random state of torch, NumPy and Python as it was."""
    with random_states_kept():
        seed_everything(3)
        before = random_states()
        load(plugin)
        after = random_states()
    for name, state in before.items():
        expect(
            state == after[name],
            got=f"another global random state of {name} after load",
            expected="the state from before",
            change="Draw from a generator of your own, or restore the state.",
        )


def check_blocks_cover_parameters(plugin: Backbone) -> None:
    """Check that blocks are a dict of disjoint lists of names that cover all parameters."""
    encoder = load(plugin)
    blocks = encoder.blocks
    expect(
        isinstance(blocks, dict)
        and blocks
        and all(isinstance(block, str) and block for block in blocks)
        and all(isinstance(names, list) and names for names in blocks.values()),
        got=f"the blocks {blocks!r}",
        expected="a dict of block name to a list of at least one parameter name",
        change="Group the names in module.named_parameters(), input side first.",
    )
    listed = [name for names in blocks.values() for name in names]
    twice = sorted({name for name in listed if listed.count(name) > 1})
    expect(
        not twice,
        got=f"{twice} in more than one block",
        expected="disjoint blocks",
        change="List each parameter once.",
    )
    unknown = sorted(encoder.never_train - set(encoder.module.state_dict()))
    expect(
        not unknown,
        got=f"never_train with the unknown names {unknown}",
        expected="names in module.state_dict()",
        change="Give the names that parameters and buffers have in the module.",
    )
    wanted = [n for n, _ in encoder.module.named_parameters() if n not in encoder.never_train]
    missing, unknown = sorted(set(wanted) - set(listed)), sorted(set(listed) - set(wanted))
    expect(
        not missing and not unknown,
        got=f"blocks that lack {missing} and name the unknown {unknown}",
        expected="exactly the names in module.named_parameters(), without those in never_train",
        change="Derive the blocks from the module.",
    )


def check_parameters_are_float32(plugin: Backbone) -> None:
    """Check that all parameters are float32 and on the device that was asked for."""
    import torch

    for name, parameter in load(plugin).module.named_parameters():
        expect(
            parameter.dtype == torch.float32 and parameter.device.type == "cpu",
            got=f"{name!r} in {parameter.dtype} on {parameter.device} from load(device='cpu')",
            expected="torch.float32 on cpu",
            change="Convert when loading: optimizers lose small steps in half precision.",
        )


def check_export_loads_the_same(plugin: Backbone) -> None:
    """Check that what ``export`` returns loads the same weights from the folder."""
    encoder = load(plugin)
    # A file that is still mapped cannot be removed on every system.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        exported = plugin.export(encoder, Path(folder))
        expect(
            isinstance(exported, Backbone),
            got=f"{exported!r} from export",
            expected="a Backbone",
            change="Return a parameter object that loads from the folder.",
        )
        again = load(exported)
        features = features_of(again, samples(plugin))
    expect(
        again.fingerprint == encoder.fingerprint,
        got=f"the fingerprint {again.fingerprint!r} after export and {encoder.fingerprint!r} "
        "before",
        expected="one fingerprint",
        change="Write everything that features depend on, and hash contents, not paths.",
    )
    expect(
        close(features, features_of(encoder, samples(plugin))),
        got="other features after export",
        expected="the same features",
        change="Write everything that features depend on.",
    )


CHECKS = (
    check_class_attributes,
    check_load_gives_encoder,
    check_load_is_reproducible,
    check_fingerprint_tells_weights_apart,
    check_new_process_agrees,
    check_loads_share_no_memory,
    check_load_keeps_random_state,
    check_blocks_cover_parameters,
    check_parameters_are_float32,
    check_export_loads_the_same,
    *_checks_learning.CHECKS,
    *_checks_encoder.CHECKS,
)


def use(plugin: Backbone) -> None:
    """Load the encoder and compute features."""
    result = features_of(load(plugin), samples(plugin))
    if not math.isfinite(result.sum().item()):
        raise ValueError("features that are not finite")


def loaded_elsewhere(plugin: Backbone) -> tuple[str, list[list[float]]]:
    """Give what `check_new_process_agrees` compares."""
    encoder = load(plugin)
    return str(encoder.fingerprint), features_of(encoder, samples(plugin)).tolist()
