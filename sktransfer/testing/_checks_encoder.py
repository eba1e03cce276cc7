"""What encoders are held to: rows, batches, features and gradients."""

from __future__ import annotations

from collections.abc import Mapping

from sktransfer.plugins import Backbone
from sktransfer.testing._check import check_of, expect, expect_no_error
from sktransfer.testing._encoders import (
    TOLERANCE,
    backward,
    close,
    features_of,
    load,
    modality_of,
    noise,
    same_rows,
    samples,
)


@check_of(Backbone)
def check_prepare_is_row_by_row(plugin: Backbone) -> None:
    """`prepare` gives a list with a row for each input, which depends on no other input.

    Return one row for each input, in order. Learn nothing from the inputs in prepare, and pad in
    collate.
    """
    encoder, X = load(plugin), samples(plugin)
    together = encoder.prepare(X)
    expect(
        isinstance(together, list) and len(together) == len(X),
        f"{len(together)} rows in a {type(together).__name__} from {len(X)} inputs",
    )
    for each in (encoder, load(plugin)):
        halves = [*each.prepare(X[2:]), *each.prepare(X[:2])]
        rows = [*together[2:], *together[:2]]
        same = len(rows) == len(halves) and all(map(same_rows, rows, halves))
        expect(same, "another row for an input when others stand beside it or came before")


@check_of(Backbone)
def check_rows_have_length(plugin: Backbone) -> None:
    """The length of a row is its cost: longer inputs do not give shorter rows.

    Give rows as lists or arrays of what is computed on, such as token ids: batches are made of rows
    of similar length.
    """
    rows = load(plugin).prepare(samples(plugin))
    for row in rows:
        has_length = hasattr(row, "__len__")
        expect(has_length, f"a row of type {type(row).__name__}, which has no len()")
    short, long = map(len, rows[:2])
    expect(short <= long, f"a row of length {long} for a long input and {short} for a short one")


@check_of(Backbone)
def check_collate_stacks_rows(plugin: Backbone) -> None:
    """`collate` gives a dict of str to torch.Tensor, whose first axis is that of the rows.

    Name the tensors that forward needs. Pad rows to the longest one, and stack them.
    """
    import torch

    encoder = load(plugin)
    rows = encoder.prepare(samples(plugin))
    for n in (1, 2, len(rows)):
        batch = encoder.collate(rows[:n])
        expect(isinstance(batch, Mapping) and batch, f"{batch!r} from collate")
        for key, value in batch.items():
            fits = isinstance(key, str) and isinstance(value, torch.Tensor)
            expect(fits, f"the item {key!r}: {value!r} from collate")
            shape = tuple(value.shape)
            expect(shape[:1] == (n,), f"a tensor {key!r} of shape {shape} from {n} rows")


@check_of(Backbone)
def check_forward_gives_features(plugin: Backbone) -> None:
    """`forward` gives finite features of shape (n, dim) in torch.float32.

    Pool over tokens or pixels, set dim to the width, and cast the result. Where numbers are not
    finite, look for divisions by a count of 0.
    """
    import torch

    encoder = load(plugin)
    for n in (1, 2, len(samples(plugin))):
        features = features_of(encoder, samples(plugin)[:n])
        expect(
            features.shape == (n, encoder.dim) and features.dtype == torch.float32,
            f"features of shape {tuple(features.shape)} in {features.dtype} from {n} inputs, with "
            f"a dim of {encoder.dim}",
        )
        expect(features.isfinite().all(), "features that are not finite")


@check_of(Backbone)
def check_batch_mates_do_not_matter(plugin: Backbone) -> None:
    """A row has the same features in every batch.

    Mask the padding, and use no statistics of the batch in evaluation mode.
    """
    import torch

    encoder, X = load(plugin), samples(plugin)
    together = features_of(encoder, X)
    alone = torch.cat([features_of(encoder, [x]) for x in X])
    apart = (together - alone).abs().max().item()
    expect(
        close(together, alone),
        f"features that differ by {apart:.1e}, more than {TOLERANCE}, between a row in a batch and "
        "alone",
    )


@check_of(Backbone)
def check_evaluation_is_deterministic(plugin: Backbone) -> None:
    """In evaluation mode the same batch gives the same features each time.

    Draw random numbers in training mode only (see torch.nn.Module.training).
    """
    import torch

    encoder, X = load(plugin), samples(plugin)
    same = torch.equal(features_of(encoder, X), features_of(encoder, X))
    expect(same, "different features for the same batch in evaluation mode")


@check_of(Backbone)
def check_gradients_reach_every_block(plugin: Backbone) -> None:
    """In each block at least one parameter has a finite gradient that is not 0.

    Compute in torch throughout forward, without no_grad, detach or numpy.
    """
    encoder = load(plugin)
    encoder.module.eval().requires_grad_(True)
    backward(encoder, samples(plugin))
    parameters = dict(encoder.module.named_parameters())
    for block, names in encoder.blocks.items():
        gradients = [parameters[name].grad for name in names if name in parameters]
        expect(
            any(g is not None and g.isfinite().all() and g.any() for g in gradients),
            f"no finite gradient other than 0 in the block {block!r}",
        )


@check_of(Backbone)
def check_state_dict_holds_all(plugin: Backbone) -> None:
    """What training changes is in `module.state_dict()`, and nowhere else.

    Keep weights and running statistics in `module`, as parameters and buffers.
    """
    import torch

    trained, other, X = load(plugin), load(plugin), samples(plugin)
    with torch.random.fork_rng(devices=[]):
        trained.module.train().requires_grad_(True)
        optimizer = torch.optim.SGD(trained.module.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            backward(trained, X)
            # As trainings do: what many layers multiply would soon be no number any more.
            torch.nn.utils.clip_grad_norm_(trained.module.parameters(), 1.0)
            optimizer.step()
    other.module.load_state_dict(trained.module.state_dict())
    expect(
        close(features_of(trained, X), features_of(other, X)),
        "other features in a fresh encoder with the state_dict of a trained one",
    )


@check_of(Backbone)
def check_odd_inputs(plugin: Backbone) -> None:
    """Inputs which go wrong easily, such as empty ones, give finite features of shape (1, dim).

    Give an input that has nothing to compute on a row all the same. Look for divisions by a count
    of 0.
    """
    encoder = load(plugin)
    for what, x in modality_of(plugin).odd_samples().items():
        with expect_no_error(f"for {what}"):
            features = features_of(encoder, [x])
        expect(
            features.shape == (1, encoder.dim) and features.isfinite().all(),
            f"features {features!r} for {what}, with a dim of {encoder.dim}",
        )


@check_of(Backbone)
def check_features_are_pooled_states(plugin: Backbone) -> None:
    """`forward` gives what `pool` makes of `states`.

    Return from states the last hidden states, of shape (n, length, dim), and a mask of shape
    (n, length) that says where they are no padding, with a state in each row. Leave forward as it
    is inherited, or let it compute the same.
    """
    import torch

    encoder = load(plugin)
    encoder.module.eval()
    rows = encoder.prepare(samples(plugin))
    with torch.no_grad():
        hidden, mask = encoder.states(encoder.collate(rows))
        pooled = encoder.pool(hidden, mask)
        whole = encoder.forward(encoder.collate(rows))
    expect(
        hidden.ndim == 3
        and hidden.shape[::2] == (len(rows), encoder.dim)
        and mask.shape == hidden.shape[:2],
        f"states of shape {tuple(hidden.shape)} with a mask of shape {tuple(mask.shape)} from "
        f"{len(rows)} inputs, with a dim of {encoder.dim}",
    )
    expect((mask != 0).any(dim=1).all(), f"a row without a state in the mask {mask!r}")
    expect(close(pooled, whole), "other features from forward than from pool(*states(batch))")


@check_of(Backbone)
def check_forward_can_be_split(plugin: Backbone) -> None:
    """`forward_until` and `states_from` together equal `states`, where `can_split` is True.

    Stop before the block in forward_until, and start with it in states_from, so that features stay
    right after this block and those above have trained. Or set can_split = False.
    """
    import torch

    names = list(load(plugin).blocks)
    for i, block in enumerate(names if load(plugin).can_split else ()):
        encoder = load(plugin)
        encoder.module.eval()
        with torch.no_grad():
            batch = encoder.collate(encoder.prepare(samples(plugin)))
            state = encoder.forward_until(batch, block)
            # Train the block and all above: the state below has to stay good.
            parameters = dict(encoder.module.named_parameters())
            for name in [name for each in names[i:] for name in encoder.blocks[each]]:
                parameters[name].add_(0.01 * noise(parameters[name], seed=i))
            with expect_no_error("from forward_from"):
                split = encoder.forward_from(state, block)
            whole = encoder.forward(batch)
        expect(
            close(split, whole),
            f"other features from forward_from(forward_until(batch, {block!r}), {block!r}) than "
            "from forward",
        )
