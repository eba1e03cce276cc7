"""Statistics of batch normalisation: folded into weights, copied, and kept from training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sktransfer_vision import EfficientNetLite, ImageTransformer

from sktransfer import TransferImageClassifier

LITE = EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=48)


def load(backbone):
    return backbone.load(device="cpu", random_state=0)


def pictures(n, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randint(0, 256, (50, 60, 3)).astype(np.uint8) for _ in range(n)]


def test_features_are_the_same_folded_in_half_precision_and_as_the_network_stands(tiny):
    encoder = load(tiny)
    encoder.module.eval()
    rng = torch.Generator().manual_seed(0)
    for name, buffer in encoder.module.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand(buffer.shape, generator=rng) + 0.5)
    batch = encoder.collate(encoder.prepare(pictures(4)))
    wanted = encoder.forward(batch).detach()
    with torch.no_grad():
        found = encoder.forward(batch)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        half = encoder.in_bf16()
        assert half.module.dtype == torch.bfloat16
        close = torch.nn.functional.cosine_similarity(half.forward(batch), wanted)
    assert close.min() > 0.999


def test_what_is_folded_follows_the_weights(tiny):
    encoder = load(tiny)
    encoder.module.eval()
    batch = encoder.collate(encoder.prepare(pictures(2)))
    with torch.no_grad():
        before = encoder.forward(batch)
        next(p for p in encoder.module.parameters() if p.ndim == 4).mul_(1.5)
        after = encoder.forward(batch)
    assert not torch.allclose(before, after, rtol=1e-3)
    torch.testing.assert_close(after, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


def test_what_is_folded_follows_a_training_by_a_fused_optimizer(tiny):
    encoder = load(tiny)
    encoder.module.keeps_statistics = True  # or their buffers would tell
    batch = encoder.collate(encoder.prepare(pictures(4)))
    with torch.no_grad():
        before = encoder.module.eval() and encoder.forward(batch)
    encoder.module.train()
    optimizer = torch.optim.AdamW(encoder.module.parameters(), lr=0.01, fused=True)
    encoder.forward(batch).sum().backward()
    optimizer.step()
    encoder.module.eval()
    with torch.no_grad():
        after = encoder.forward(batch)
    assert not torch.allclose(before, after, rtol=1e-3)
    torch.testing.assert_close(after, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


def test_a_copy_in_half_precision_learns_statistics_for_the_original():
    encoder = load(LITE)
    half = encoder.in_bf16()
    before = encoder.module.stem.norm.running_mean.clone()
    half.module.train()
    half.forward(encoder.collate(encoder.prepare(pictures(4))))
    assert not torch.equal(before, encoder.module.stem.norm.running_mean)
    assert encoder.module.stem.norm.running_mean.dtype == torch.float32


def test_what_is_folded_follows_a_training_with_frozen_statistics():
    encoder = load(LITE)
    encoder.module.eval()
    batch = encoder.collate(encoder.prepare(pictures(4)))
    with torch.no_grad():
        encoder.forward(batch)
    optimizer = torch.optim.AdamW(encoder.module.parameters(), lr=0.01, fused=True)
    encoder.forward(batch).sum().backward()
    optimizer.step()
    with torch.no_grad():
        found = encoder.forward(batch)
    torch.testing.assert_close(found, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


def test_a_drawn_network_knows_the_statistics_of_a_short_training():
    encoder = load(LITE)
    encoder.module.train()
    batch = encoder.collate(encoder.prepare(pictures(8)))
    for _ in range(40):
        encoder.module(batch["pixels"])
    maps = encoder.module.stem.conv(
        torch.nn.functional.pad(encoder.module.scaled(batch["pixels"]), [0, 1, 0, 1])
    )
    wanted = maps.mean(dim=(0, 2, 3))
    found = encoder.module.stem.norm.running_mean
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.02)


RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 8, 8, 16]}
RESNET |= {"depths": [1, 1, 1, 1], "layer_type": "basic"}


@pytest.mark.parametrize(
    ("backbone", "freeze"),
    [
        (LITE, "full"),
        (LITE, "top_layers"),
        (ImageTransformer(RESNET, image_size=32), "full"),
        (ImageTransformer(RESNET, image_size=32), "top_layers"),
    ],
    ids=["lite full", "lite top", "resnet full", "resnet top"],
)
def test_a_row_that_is_alone_in_a_batch_is_normalised_by_what_was_learned(backbone, freeze):
    # Nine rows in batches of eight; the last maps of 32 pixels are a single one.
    clf = TransferImageClassifier(backbone, freeze=freeze, batch_size=8, max_epochs=2)
    clf.set_params(random_state=0, image_size=33 if backbone is LITE else 32)
    clf.fit(pictures(9), ["a", "b", "c"] * 3)
    module = clf.net_.module_.encoder.module
    states = {n: v for n, v in module.state_dict().items() if n.endswith("running_var")}
    assert all(torch.isfinite(value).all() for value in states.values())
    # One update an epoch, of eight rows, where the block trains: the one row leaves no trace.
    counts = [int(v) for n, v in module.state_dict().items() if n.endswith("num_batches_tracked")]
    assert set(counts) == ({2} if freeze == "full" else {0, 2})
    assert not module.training
