"""What encoders are held to: rows, batches, features and gradients."""

from __future__ import annotations

from collections.abc import Mapping

from sktransfer.plugins import Backbone
from sktransfer.testing._encoders import (
    TEXTS,
    TOLERANCE,
    close,
    features_of,
    load,
    noise,
    same_rows,
    samples,
)
from sktransfer.testing._expect import expect

ODD_TEXTS = {
    "the empty text": "",
    "a blank": " ",
    "blank lines": "\n\t \r\n",
    "emoji joined into one": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "right-to-left writing": "\u202eשלום مرحبا",
    "a NUL character": "before\x00after",
    "what looks like a special token": "[SEP] <s> [PAD]",
    "a combining mark alone": "\u0301",
    "a word of 100,000 letters": "a" * 100_000,
}


def check_prepare_is_row_by_row(plugin: Backbone) -> None:
    """Check that ``prepare`` treats each input by itself and remembers none."""
    encoder = load(plugin)
    X = samples(plugin)
    together = encoder.prepare(X)
    expect(
        isinstance(together, list) and len(together) == len(X),
        got=f"{len(together)} rows in a {type(together).__name__} from {len(X)} inputs",
        expected="a list with a row for each input",
        change="Return one row for each input, in order.",
    )
    for each in (encoder, load(plugin)):
        halves = [*each.prepare(X[2:]), *each.prepare(X[:2])]
        for row, alone in zip([*together[2:], *together[:2]], halves, strict=True):
            expect(
                same_rows(row, alone),
                got="another row for an input when other inputs stand beside it or came before",
                expected="the same row",
                change="Learn nothing from the inputs in prepare, and pad in collate.",
            )


def check_rows_have_length(plugin: Backbone) -> None:
    """Check that the length of a row is its cost: longer inputs do not give shorter rows."""
    encoder = load(plugin)
    rows = encoder.prepare(samples(plugin))
    for row in rows:
        expect(
            hasattr(row, "__len__"),
            got=f"a row of type {type(row).__name__}, which has no len()",
            expected="rows with a length",
            change="Give rows as lists or arrays: batches are made of rows of similar length.",
        )
    if plugin.modality == "text":
        short, long = encoder.prepare(["good", TEXTS[1]])
        expect(
            len(short) <= len(long),
            got=f"a row of length {len(long)} for a long text and {len(short)} for a short one",
            expected="a length that grows with the cost",
            change="Let rows be what is computed on, such as token ids.",
        )


def check_collate_stacks_rows(plugin: Backbone) -> None:
    """Check that ``collate`` gives a dict of tensors whose first axis is that of the rows."""
    import torch

    encoder = load(plugin)
    rows = encoder.prepare(samples(plugin))
    for n in (1, 2, len(rows)):
        batch = encoder.collate(rows[:n])
        expect(
            isinstance(batch, Mapping)
            and batch
            and all(
                isinstance(key, str) and isinstance(value, torch.Tensor)
                for key, value in batch.items()
            ),
            got=f"{batch!r} from collate",
            expected="a dict of str to torch.Tensor",
            change="Name the tensors that forward needs.",
        )
        shapes = {key: tuple(value.shape) for key, value in batch.items()}
        expect(
            all(shape[:1] == (n,) for shape in shapes.values()),
            got=f"tensors of shapes {shapes} from {n} rows",
            expected=f"{n} as the first axis of each",
            change="Pad rows to the longest one, and stack them.",
        )


def check_forward_gives_features(plugin: Backbone) -> None:
    """Check that ``forward`` gives finite float32 features of shape (n, dim)."""
    import torch

    encoder = load(plugin)
    for n in (1, 2, len(samples(plugin))):
        features = features_of(encoder, samples(plugin)[:n])
        expect(
            features.shape == (n, encoder.dim) and features.dtype == torch.float32,
            got=f"features of shape {tuple(features.shape)} in {features.dtype} from {n} inputs",
            expected=f"shape {(n, encoder.dim)} in torch.float32",
            change="Pool over tokens or pixels, set dim to the width, and cast the result.",
        )
        expect(
            bool(features.isfinite().all()),
            got="features that are not finite",
            expected="finite numbers",
            change="Look for divisions by a count of 0.",
        )


def check_batch_mates_do_not_matter(plugin: Backbone) -> None:
    """Check that a row has the same features in every batch."""
    import torch

    encoder = load(plugin)
    X = samples(plugin)
    together = features_of(encoder, X)
    alone = torch.cat([features_of(encoder, [x]) for x in X])
    apart = (together - alone).abs().max().item()
    expect(
        close(together, alone),
        got=f"features that differ by {apart:.1e} between a row in a batch and alone",
        expected=f"the same within {TOLERANCE}",
        change="Mask the padding, and use no statistics of the batch in evaluation mode.",
    )


def check_evaluation_is_deterministic(plugin: Backbone) -> None:
    """Check that in evaluation mode the same batch gives the same features each time."""
    import torch

    encoder = load(plugin)
    expect(
        torch.equal(features_of(encoder, samples(plugin)), features_of(encoder, samples(plugin))),
        got="different features for the same batch in evaluation mode",
        expected="equal features",
        change="Draw random numbers in training mode only (see torch.nn.Module.training).",
    )


def check_gradients_reach_every_block(plugin: Backbone) -> None:
    """Check that in each block at least one parameter has a finite gradient that is not 0."""
    encoder = load(plugin)
    encoder.module.eval().requires_grad_(True)
    features = encoder.forward(encoder.collate(encoder.prepare(samples(plugin))))
    # A projection at random: sums of squares stand still where features have unit length.
    if features.requires_grad:
        (features * noise(features, seed=0)).sum().backward()
    parameters = dict(encoder.module.named_parameters())
    for block, names in encoder.blocks.items():
        gradients = [parameters[name].grad for name in names if name in parameters]
        expect(
            any(g is not None and bool(g.isfinite().all()) and bool(g.any()) for g in gradients),
            got=f"no gradient in the block {block!r}",
            expected="a finite gradient that is not 0 for at least one of its parameters",
            change="Compute in torch throughout forward, without no_grad, detach or numpy.",
        )


def check_state_dict_holds_all(plugin: Backbone) -> None:
    """Check that what training changes is in ``module.state_dict()``, and nowhere else."""
    import torch

    trained, other = load(plugin), load(plugin)
    with torch.random.fork_rng(devices=[]):
        trained.module.train().requires_grad_(True)
        optimizer = torch.optim.SGD(trained.module.parameters(), lr=0.1)
        for _ in range(2):
            features = trained.forward(trained.collate(trained.prepare(samples(plugin))))
            if features.requires_grad:
                optimizer.zero_grad()
                (features * noise(features, seed=0)).sum().backward()
                # As trainings do: what many layers multiply would soon be no number any more.
                torch.nn.utils.clip_grad_norm_(trained.module.parameters(), 1.0)
                optimizer.step()
    other.module.load_state_dict(trained.module.state_dict())
    expect(
        close(features_of(trained, samples(plugin)), features_of(other, samples(plugin))),
        got="other features in a fresh encoder with the state_dict of a trained one",
        expected="the same features",
        change="Keep weights and running statistics in `module`, as parameters and buffers.",
    )


def check_odd_texts(plugin: Backbone) -> None:
    """Check that empty, strange and very long texts give finite features."""
    if plugin.modality != "text":
        return
    encoder = load(plugin)
    for what, text in ODD_TEXTS.items():
        try:
            features = features_of(encoder, [text])
        except Exception as error:
            raise AssertionError(
                f"got {type(error).__name__}: {error} for {what}; expected features. Give a text "
                "that has nothing to compute on a row all the same."
            ) from error
        expect(
            features.shape == (1, encoder.dim) and bool(features.isfinite().all()),
            got=f"features {features!r} for {what}",
            expected=f"finite numbers of shape {(1, encoder.dim)}",
            change="Look for divisions by a count of 0.",
        )


def check_features_are_pooled_states(plugin: Backbone) -> None:
    """Check that ``forward`` gives what ``pool`` makes of ``states``."""
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
        and mask.shape == hidden.shape[:2]
        and bool((mask != 0).any(dim=1).all()),
        got=f"states of shape {tuple(hidden.shape)} with a mask of shape {tuple(mask.shape)}",
        expected=f"({len(rows)}, length, {encoder.dim}) and ({len(rows)}, length), with a state in "
        "each row",
        change="Return the last hidden states and where they are no padding.",
    )
    expect(
        close(pooled, whole),
        got="other features from forward than from pool(*states(batch))",
        expected="the same",
        change="Leave forward as it is inherited, or let it compute the same.",
    )


def check_forward_can_be_split(plugin: Backbone) -> None:
    """Check that ``forward_until`` and ``states_from`` together equal ``states``, if offered."""
    import torch

    encoder = load(plugin)
    if not encoder.can_split:
        return
    names = list(encoder.blocks)
    for i, block in enumerate(names):
        encoder = load(plugin)
        encoder.module.eval()
        with torch.no_grad():
            batch = encoder.collate(encoder.prepare(samples(plugin)))
            state = encoder.forward_until(batch, block)
            # Train the block and all above: the state below has to stay good.
            parameters = dict(encoder.module.named_parameters())
            for name in [name for each in names[i:] for name in encoder.blocks[each]]:
                parameters[name].add_(0.01 * noise(parameters[name], seed=i))
            try:
                split = encoder.forward_from(state, block)
            except NotImplementedError as error:
                raise AssertionError(
                    f"got {error} from forward_from; expected features, since can_split is True. "
                    "Write states_from as well, or set can_split = False."
                ) from error
            whole = encoder.forward(batch)
        expect(
            split.shape == whole.shape and close(split, whole),
            got=f"other features from forward_from(forward_until(batch, {block!r}), {block!r})",
            expected="those of forward, also after this block and those above have trained",
            change="Stop before the block in forward_until, and start with it in states_from.",
        )


CHECKS = (
    check_prepare_is_row_by_row,
    check_rows_have_length,
    check_collate_stacks_rows,
    check_forward_gives_features,
    check_batch_mates_do_not_matter,
    check_evaluation_is_deterministic,
    check_gradients_reach_every_block,
    check_state_dict_holds_all,
    check_odd_texts,
    check_features_are_pooled_states,
    check_forward_can_be_split,
)
