"""Encoder and head as one module, and what of it trains."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.freezing.strategies import BiasOnly, Full
from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead
from sktransfer.training._callbacks import parameters_to_open
from sktransfer.training.module import TransferModule

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


TEXTS = ["a good film", "it was not very good, and the movie is dull"]


def build(model, head=None):
    encoder = TransformerBackbone(model).load(device="cpu", random_state=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TransferModule(encoder, (head or LinearHead()).build(encoder.dim, 2), "fp32")


@pytest.fixture
def module(tiny_model):
    return build(tiny_model)


@pytest.fixture(scope="module")
def shared(tiny_model):
    return build(tiny_model)


def names_of(module, *blocks):
    return [name for block in blocks for name in module.encoder.blocks[block]]


def outputs(module):
    return module(module.encoder.collate(module.encoder.prepare(TEXTS)))


def test_outputs_are_the_head_of_the_features(module):
    module.eval()
    batch = module.encoder.collate(module.encoder.prepare(TEXTS))
    expected = module.head(module.encoder.forward(batch))
    torch.testing.assert_close(module(batch), expected, rtol=0, atol=0)
    assert expected.shape == (2, 2)


def test_every_parameter_belongs_to_body_or_head(module):
    prefixes = {name.partition(".")[0] for name, _ in module.named_parameters()}
    assert prefixes == {"body", "head"}
    assert module.body is module.encoder.module


def test_the_head_runs_in_single_precision_whatever_the_encoder_runs_in(module):
    seen = []
    module.head.register_forward_hook(lambda _, args, output: seen.append((args[0], output)))
    module.precision = "bf16"
    module.eval()
    outputs(module)
    assert {tensor.dtype for tensor in seen[0]} == {torch.float32}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_open_trains_exactly_what_it_is_told_and_remembers_everything_that_ever_trained(
    shared, data
):
    shared.trained.clear()
    names = sorted(name for name, _ in shared.body.named_parameters())
    ever = set()
    for wanted in data.draw(st.lists(st.sets(st.sampled_from(names)), min_size=1, max_size=3)):
        shared.set_trainable(wanted)
        ever |= wanted
        assert {n for n, p in shared.body.named_parameters() if p.requires_grad} == wanted
        assert all(p.requires_grad for p in shared.head.parameters())
        assert shared.trained == ever


def test_gradients_flow_to_what_is_open_and_to_the_head_alone(module):
    opened = names_of(module, "layer.2")
    module.set_trainable(opened)
    outputs(module).square().sum().backward()
    with_gradient = {n for n, p in module.body.named_parameters() if p.grad is not None}
    assert with_gradient == set(opened)
    assert all(p.grad is not None for p in module.head.parameters())


def test_closing_a_parameter_drops_its_gradient_so_that_no_step_moves_it(module):
    everything = names_of(module, *module.encoder.blocks)
    module.set_trainable(everything)
    outputs(module).square().sum().backward()
    kept = names_of(module, "layer.1")
    module.set_trainable(kept)
    assert {n for n, p in module.body.named_parameters() if p.grad is not None} == set(kept)


def test_biases_alone_can_be_opened(module):
    blocks = frozenset(module.encoder.blocks)
    names = parameters_to_open(module, BiasOnly(), blocks)
    assert names
    assert all(name.endswith(".bias") for name in names)
    everything = parameters_to_open(module, Full(), blocks)
    assert sorted(everything) == sorted(name for name, _ in module.body.named_parameters())
    assert set(parameters_to_open(module, Full(), frozenset(["layer.0"]))) == set(
        module.encoder.blocks["layer.0"]
    )


# --- dropout ------------------------------------------------------------------------------------


def dropouts(module):
    """Give the names of all dropouts, by whether they are active."""
    found = {True: set(), False: set()}
    for name, part in module.named_modules():
        if isinstance(part, nn.Dropout):
            found[part.training].add(name)
    return found


def test_what_does_not_train_has_no_dropout_while_other_blocks_train(tiny_model):
    module = build(tiny_model, MLPHead(hidden=4, dropout=0.5))
    module.set_trainable(names_of(module, "layer.1", "layer.2"))
    module.train()
    active, still = (dropouts(module)[mode] for mode in (True, False))
    assert active
    assert all(
        name.startswith(("body.encoder.layer.1.", "body.encoder.layer.2.", "head."))
        for name in active
    )
    assert any(name.startswith("body.encoder.layer.0.") for name in still)
    assert any(name.startswith("body.embeddings") for name in still)
    assert any(name.startswith("head.") for name in active)


def test_a_body_that_does_not_train_gives_the_same_features_in_training_mode(module):
    module.set_trainable([])
    module.train()
    assert not dropouts(module)[True]
    assert torch.equal(outputs(module), outputs(module))
    module.set_trainable(names_of(module, "layer.2"))
    module.train()
    assert not torch.equal(outputs(module), outputs(module))


def test_what_is_below_the_lowest_open_block_is_computed_without_dropout(module):
    module.set_trainable(names_of(module, "layer.2"))
    module.train()
    states = []
    module.body.encoder.layer[2].register_forward_hook(lambda _, args, __: states.append(args[0]))
    outputs(module), outputs(module)
    assert torch.equal(*states)


def test_evaluation_mode_turns_everything_off(module):
    module.set_trainable(names_of(module, *module.encoder.blocks))
    module.train()
    assert dropouts(module)[True]
    assert module.eval() is module
    assert not dropouts(module)[True]
    assert torch.equal(outputs(module), outputs(module))


def test_a_part_without_parameters_follows_the_part_that_it_is_in():
    encoder = HashingBackbone(dim=4, n_buckets=16).load(device="cpu", random_state=0)
    inner = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    encoder.module["extra"] = nn.ModuleDict({"open": inner, "closed": nn.Sequential(nn.Dropout())})
    module = TransferModule(encoder, LinearHead().build(4, 2), "fp32")
    module.set_trainable(["extra.open.0.weight"])
    module.train()
    assert inner[1].training
    assert not module.body["projection"].training
