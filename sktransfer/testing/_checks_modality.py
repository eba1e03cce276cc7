"""What modalities are held to."""

from __future__ import annotations

from typing import Any

from sktransfer.plugins import Modality
from sktransfer.testing._expect import expect

_SAMPLES = 5
_START = 10


def check_names(plugin: Modality) -> None:
    """Check that a modality says what it is called, and what fitted attributes it reports."""
    for name in ("name", "plural", "default_backbone"):
        value = getattr(plugin, name, None)
        expect(
            isinstance(value, str) and value,
            got=f"{name} = {value!r}",
            expected="a word",
            change=f"Set {name} as a class attribute.",
        )
    odd = [name for name in plugin.fitted_attributes if not name.endswith("_")]
    expect(
        not odd,
        got=f"the fitted attributes {odd}",
        expected="names that end with an underscore",
        change="Name what is known after fit only as scikit-learn does.",
    )
    odd = [suffix for suffix in plugin.suffixes if not suffix.startswith(".")]
    expect(
        not odd,
        got=f"the suffixes {odd}",
        expected="suffixes with their dots, such as '.wav'",
        change="Write the dot.",
    )


def check_samples_are_validated(plugin: Modality) -> None:
    """Check that ``samples`` are five inputs that differ, and can be hashed once validated."""
    samples = plugin.samples()
    expect(
        len(samples) == _SAMPLES,
        got=f"{len(samples)} samples",
        expected=str(_SAMPLES),
        change="Give five inputs of different lengths or sizes.",
    )
    inputs = plugin.validate(samples)
    try:
        n_distinct = len(set(inputs))
    except TypeError as error:
        raise AssertionError(
            f"got {type(error).__name__}: {error} from a validated input; expected inputs that "
            "can be hashed, so that equal ones are encoded once. Wrap them in a class with "
            "__eq__ and __hash__."
        ) from error
    expect(
        len(inputs) == n_distinct == _SAMPLES,
        got=f"{len(inputs)} inputs from validate(samples()), {n_distinct} of them different",
        expected=f"{_SAMPLES} different inputs",
        change="Keep every input, in order, and compare inputs by their contents.",
    )


def check_validation_is_repeatable(plugin: Modality) -> None:
    """Check that validated inputs pass again, as pipelines and caches pass them on."""
    inputs = plugin.validate(plugin.samples())
    again = plugin.validate(inputs.items)
    expect(
        again.items == inputs.items,
        got=f"{again.items!r} from validating {inputs.items!r}",
        expected="the same inputs",
        change="Let validate pass on what it has validated.",
    )


def check_what_is_no_input_is_refused(plugin: Modality) -> None:
    """Check that nothing at all, and a missing value, are refused with their position."""
    _refusal(plugin, [], "no inputs")
    said = _refusal(plugin, [*plugin.samples()[:1], None], "None at index 11", start=_START)
    expect(
        str(_START + 1) in said,
        got=f"the message {said!r} for None as the second input of start={_START}",
        expected=f"the position {_START + 1}",
        change="Add start to positions in messages: inputs may be validated in chunks.",
    )


def check_defaults_change_nothing(plugin: Modality) -> None:
    """Check that default options fit together, and change neither backbone nor inputs."""
    default = type(plugin)()
    default.check_options()
    expect(
        not default.backbone_params(),
        got=f"{default.backbone_params()!r} from backbone_params() of default options",
        expected="an empty dict",
        change="Give only the options that differ from their defaults.",
    )
    expect(
        default.variation() is None,
        got=f"{default.variation()!r} from variation() of default options",
        expected="None",
        change="Augment inputs only where a user asks for it.",
    )


CHECKS = (
    check_names,
    check_samples_are_validated,
    check_validation_is_repeatable,
    check_what_is_no_input_is_refused,
    check_defaults_change_nothing,
)


def use(plugin: Modality) -> None:
    """Validate samples."""
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
    raise AssertionError(
        f"got no error from validate for {what}; expected ValueError or TypeError. Refuse what "
        "cannot be read, and name its position."
    )
