"""The checks of modalities, each with a plugin that fails it and no other check."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer.plugins import Inputs, Modality, Plugin, Variation
from sktransfer.testing import contract_checks

DEFECTS = []


def breaks(name):
    """Say which check a modality fails."""

    def add(cls):
        cls.__doc__ = Lists.__doc__
        DEFECTS.append(pytest.param(cls, name, id=cls.__name__))
        return cls

    return add


class Lists(Modality):
    """Lists of numbers."""

    name = "list"
    plural = "lists"
    default_backbone = "mean"
    suffixes = frozenset({".csv"})
    fitted_attributes = ("longest_",)

    def validate(self, X, *, start=0):
        if not len(X):
            raise ValueError("X is empty.")
        for i, x in enumerate(X, start=start):
            if not isinstance(x, list | tuple):
                raise TypeError(f"X[{i}] has to be a list, got {x!r}.")
        return Inputs([tuple(x) for x in X])

    def samples(self):
        return [[1], [2, 3, 4], [5, 6], [7], [8, 9]]

    def odd_samples(self):
        return {"no number": []}


@breaks("check_names")
class HasNoName(Lists):
    name = ""


@breaks("check_names")
class ReportsOptions(Lists):
    fitted_attributes = ("longest",)


@breaks("check_names")
class DropsTheDot(Lists):
    suffixes = frozenset({"csv"})


@breaks("check_samples_are_validated")
class GivesFew(Lists):
    def samples(self):
        return super().samples()[:4]


@breaks("check_samples_are_validated")
class GivesTheSame(Lists):
    def samples(self):
        return 5 * super().samples()[:1]


@breaks("check_samples_are_validated")
class GivesWhatHasNoHash(Lists):
    def validate(self, X, *, start=0):
        return Inputs([list(x) for x in super().validate(X, start=start)])


class Box:
    """A list of numbers, known by its hash alone."""

    def __init__(self, x):
        self.x = tuple(x)

    def __eq__(self, other):
        return self.x == other.x

    def __hash__(self):
        return hash(self.x)


@breaks("check_inputs_have_contents")
class HidesContents(Lists):
    def validate(self, X, *, start=0):
        boxed = [x.x if isinstance(x, Box) else x for x in X]
        return Inputs([Box(x) for x in super().validate(boxed, start=start)])


@breaks("check_validation_is_repeatable")
class AddsEachTime(Lists):
    def validate(self, X, *, start=0):
        return Inputs([(0, *x) for x in super().validate(X, start=start)])


@breaks("check_what_is_no_input_is_refused")
class TakesNothing(Lists):
    def validate(self, X, *, start=0):
        return super().validate(X, start=start) if len(X) else Inputs([])


@breaks("check_what_is_no_input_is_refused")
class TakesMissing(Lists):
    def validate(self, X, *, start=0):
        return super().validate([x or () for x in X], start=start)


@breaks("check_what_is_no_input_is_refused")
class ForgetsStart(Lists):
    def validate(self, X, *, start=0):
        return super().validate(X)


@breaks("check_defaults_change_nothing")
class TellsTheBackbone(Lists):
    def backbone_params(self):
        return {"max_length": 3}


@breaks("check_defaults_change_nothing")
class AugmentsAlways(Lists):
    def variation(self):
        return Variation()


@breaks("check_the_baseline_learns_every_task")
class PredictsLabelsAlone(Lists):
    def baseline(self, task="classification"):
        pixels = FunctionTransformer(lambda X: [[len(x)] for x in X])
        return Pipeline([("length", pixels), ("logistic regression", LogisticRegression())])


@breaks("check_the_baseline_learns_every_task")
class ReadsNothing(Lists):
    def baseline(self, task="classification"):
        return Pipeline([("ridge regression", Ridge())])


def test_sound_plugin_passes(failures):
    assert failures(Lists(), every=True) == {}


@pytest.mark.parametrize(("cls", "name"), DEFECTS)
def test_defect_is_caught(cls, name, failures):
    assert failures(cls()).keys() == {name}


def test_every_check_catches_a_defect():
    own = {check.__name__ for check in contract_checks(Lists())}
    common = {check.__name__ for check in contract_checks(Plugin())}
    assert own - common == {defect.values[1] for defect in DEFECTS}
