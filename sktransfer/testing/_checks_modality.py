"""What modalities are held to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sktransfer.plugins import Modality, content_of
from sktransfer.testing._check import Broken, check_of, expect, expect_no_error
from sktransfer.testing._use import use

_SAMPLES = 5
_START = 10


@check_of(Modality)
def check_names(plugin: Modality) -> None:
    """A modality says what it is called, what it reports once fitted, and what its files end with.

    Set name, plural and default_backbone as class attributes, each a word. Let fitted_attributes
    end with an underscore, as scikit-learn's do, and begin suffixes with their dots, such as
    '.wav'.
    """
    for name in ("name", "plural", "default_backbone"):
        value = getattr(plugin, name, None)
        expect(isinstance(value, str) and value, f"{name} = {value!r}")
    odd = [name for name in plugin.fitted_attributes if not name.endswith("_")]
    expect(not odd, f"the fitted attributes {odd}")
    odd = [suffix for suffix in plugin.suffixes if not suffix.startswith(".")]
    expect(not odd, f"the suffixes {odd}")


@check_of(Modality)
def check_samples_are_validated(plugin: Modality) -> None:
    """`samples` are five inputs that differ, and `validate` gives inputs that can be hashed.

    Give five inputs of different lengths or sizes. Keep every input, in order, and compare inputs
    by their contents: equal ones are encoded once. Wrap what cannot be hashed in a class with
    __eq__ and __hash__.
    """
    samples = plugin.samples()
    expect(len(samples) == _SAMPLES, f"{len(samples)} samples")
    inputs = plugin.validate(samples)
    with expect_no_error("from the hash of a validated input"):
        n_distinct = len(set(inputs))
    expect(
        len(inputs) == n_distinct == _SAMPLES,
        f"{len(inputs)} inputs from validate(samples()), {n_distinct} of them different",
    )


@check_of(Modality)
def check_inputs_have_contents(plugin: Modality) -> None:
    """The content of a validated input tells it from others, so that its features can be stored.

    Validate inputs to str, numbers or tuples of these, or derive their class from
    sktransfer.plugins.HashedInput and hash their contents in its digest.
    """
    # Inputs without a hash fail another check.
    first, again = (
        [x for x in plugin.validate(plugin.samples()) if isinstance(x, Hashable)] for _ in range(2)
    )
    with expect_no_error("from content_of, of a validated input"):
        contents = [tuple(content_of(x)) for x in first]
        repeated = [tuple(content_of(x)) for x in again]
    expect(contents == repeated, "other contents of the same inputs, validated once more")
    n_contents, n_inputs = len(set(contents)), len(set(first))
    expect(n_contents == n_inputs, f"{n_contents} contents of {n_inputs} different inputs")


@check_of(Modality)
def check_validation_is_repeatable(plugin: Modality) -> None:
    """Validated inputs pass again, as pipelines and caches pass them on.

    Let validate pass on what it has validated.
    """
    inputs = plugin.validate(plugin.samples())
    again = plugin.validate(inputs.items)
    expect(again.items == inputs.items, f"{again.items!r} from validating {inputs.items!r}")


@check_of(Modality)
def check_what_is_no_input_is_refused(plugin: Modality) -> None:
    """Nothing at all, and a missing value, are refused with ValueError or TypeError.

    Refuse what cannot be read, and name its position. Add start to positions in messages: inputs
    may be validated in chunks.
    """
    _refusal(plugin, [], "no inputs")
    said = _refusal(plugin, [*plugin.samples()[:1], None], "None as an input", start=_START)
    expect(
        str(_START + 1) in said,
        f"the message {said!r}, without the position {_START + 1}, for None as the second input of "
        f"start={_START}",
    )


@check_of(Modality)
def check_defaults_change_nothing(plugin: Modality) -> None:
    """Default options fit together, and change neither backbone nor inputs.

    Give an empty dict from backbone_params, and None from variation, where options are as they are
    by default: inputs are augmented only where a user asks for it.
    """
    default = type(plugin)()
    default.check_options()
    params, variation = default.backbone_params(), default.variation()
    expect(not params, f"{params!r} from backbone_params() of default options")
    expect(variation is None, f"{variation!r} from variation() of default options")


@check_of(Modality)
def check_the_baseline_learns_every_task(plugin: Modality) -> None:
    """A baseline is a pipeline that is fitted to inputs as they are, whatever the task.

    Let baseline give a new Pipeline, whose first step reads inputs as users pass them and whose
    last one predicts labels, a column of 0 and 1 for each label, or numbers, as task says. Leave
    it out where there is no plain way: its default raises NotImplementedError.
    """
    samples = plugin.samples() * 2
    labels = [["a", "b"][i % 2] for i in range(len(samples))]
    targets: dict[str, Any] = {
        "classification": np.array(labels),
        "multilabel": np.array([[i % 2, i % 3 == 0] for i in range(len(samples))], dtype=int),
        "regression": np.arange(len(samples), dtype=float),
    }
    for task, y in targets.items():
        try:
            pipeline = plugin.baseline(task)
        except NotImplementedError:
            return
        expect(isinstance(pipeline, Pipeline), f"{pipeline!r} from baseline({task!r})")
        with expect_no_error(f"from a fit and a prediction of baseline({task!r})"):
            found = np.asarray(pipeline.fit(samples, y).predict(samples))
        expect(
            found.shape == y.shape and found.dtype.kind == y.dtype.kind,
            f"predictions of the shape {found.shape} and of {found.dtype} from baseline({task!r}), "
            f"for targets of the shape {y.shape} and of {y.dtype}",
        )


@use.register
def _use(plugin: Modality) -> None:
    plugin.check_options()
    plugin.validate(plugin.samples())
    plugin.backbone_params()
    plugin.variation()
    plugin.odd_samples()


def _refusal(plugin: Modality, X: list[Any], what: str, start: int = 0) -> str:
    """Give the message with which inputs are refused."""
    try:
        plugin.validate(X, start=start)
    except (TypeError, ValueError) as error:
        return str(error)
    raise Broken(f"no error from validate for {what}")
