"""Parameters that are declared once: constructors, constraints, and what is refused."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import field
from typing import ClassVar

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError

import sktransfer
from sktransfer import TransferTextClassifier, TransferTextEncoder
from sktransfer.contracts.parameters import check_decorated, param, parameters_of, with_parameters

ESTIMATORS = [
    getattr(sktransfer, name)
    for name in sktransfer.__all__
    if name.startswith(("TransferText", "TransferImage"))
]


def number(default, **more):
    return param(default=default, type="int", constraint=[int], doc="A number.", **more)


@with_parameters
class Base(BaseEstimator):
    backbone: str = param(
        default="a", type="str", constraint=[str], doc="The first one.", kw_only=False
    )
    size: int = number(1)
    stride: int = number(2)


@with_parameters
class Pitch:
    _after: ClassVar[str] = "size"

    low: int = number(10)
    high: int = number(20)


@with_parameters
class Sound(Pitch, Base):
    size: int = 5
    rate: int = number(16000)


@with_parameters
class Loud(TransferTextClassifier):
    lr: float | str = 0.5
    volume: int = number(3)


# --- constructors -------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_only_the_backbone_is_positional_and_every_parameter_has_a_default(cls):
    first, *others = inspect.signature(cls).parameters.values()
    assert (first.name, first.kind) == ("backbone", first.POSITIONAL_OR_KEYWORD)
    assert {each.kind for each in others} == {first.KEYWORD_ONLY}
    assert inspect.Parameter.empty not in {each.default for each in (first, *others)}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_are_validated_by_the_constraint_of_each(cls):
    assert set(cls._parameter_constraints) == set(cls().get_params())
    with pytest.raises(InvalidParameterError, match="'batch_size' parameter"):
        cls(batch_size=0)._validate_params()


def test_signatures_and_defaults_are_those_of_the_first_version_and_what_was_added():
    assert " ".join(inspect.signature(TransferTextClassifier).parameters) == (
        "backbone freeze head source alignment regulariser max_epochs batch_size lr "
        "weight_decay warmup average "
        "class_weight label_smoothing calibrate threshold early_stopping validation_fraction "
        "n_iter_no_change scoring pairs missing max_length long_text stride precision compile "
        "device cache random_state verbose callbacks"
    )
    assert " ".join(inspect.signature(sktransfer.TransferImageEncoder).parameters) == (
        "backbone freeze task head source alignment regulariser max_epochs batch_size lr "
        "weight_decay warmup average "
        "early_stopping validation_fraction n_iter_no_change scoring image_size augmentation "
        "on_bad_image precision compile device cache random_state verbose callbacks"
    )
    assert TransferTextEncoder().freeze == "frozen"
    assert TransferTextClassifier().freeze == "auto"
    assert sktransfer.TransferImageEncoder().backbone == "efficientnet-lite0"


def test_a_mixed_class_brings_its_parameters_and_says_behind_which_one_they_stand():
    names = ["backbone", "size", "low", "high", "stride", "rate"]
    assert list(inspect.signature(Sound).parameters) == names
    assert list(parameters_of(Sound)) == names
    assert Sound("b", low=0).get_params() == {
        "backbone": "b",
        "high": 20,
        "low": 0,
        "rate": 16000,
        "size": 5,
        "stride": 2,
    }


def test_a_plain_value_changes_the_default_and_keeps_the_rest():
    size = parameters_of(Sound)["size"]
    assert (size.default, size.constraint, size.doc) == (5, [int], "A number.")
    assert Base().size == 1
    with pytest.raises(InvalidParameterError, match="'size'"):
        Sound(size="large")._validate_params()


def test_objects_are_cloned_pickled_printed_and_compared_as_scikit_learn_does():
    sound = Sound(rate=8000)
    assert clone(sound).rate == pickle.loads(pickle.dumps(sound)).rate == 8000
    assert repr(sound) == "Sound(rate=8000)"
    assert sound != clone(sound)
    assert len({sound, clone(sound)}) == 2


def test_arguments_are_stored_as_they_are():
    value = [1, 2]
    assert TransferTextClassifier(callbacks=value).callbacks is value


def test_a_decorated_subclass_of_an_estimator_has_all_parameters():
    clf = Loud("hashing", volume=4, random_state=0, freeze="frozen")
    assert (clone(clf).volume, clf.lr) == (4, 0.5)
    assert clf.fit(["good", "bad"], [1, 0]).predict(["good"]) == [1]
    with pytest.raises(InvalidParameterError, match="'volume'"):
        Loud(volume="high").fit(["good", "bad"], [1, 0])


# --- what is refused ----------------------------------------------------------------------------


def test_a_second_positional_parameter_is_refused():
    with pytest.raises(TypeError, match="'rate' parameter of Wrong must be keyword-only"):

        @with_parameters
        class Wrong(Base):
            rate: int = number(1, kw_only=False)


def test_a_backbone_that_is_not_positional_is_refused():
    with pytest.raises(TypeError, match="'backbone' parameter of Wrong must be positional"):

        @with_parameters
        class Wrong(Base):
            backbone: str = "b"


def test_a_default_factory_is_refused():
    with pytest.raises(TypeError, match="'rates' parameter of Wrong has a default_factory"):

        @with_parameters
        class Wrong(Base):
            rates: list[int] = field(default_factory=list)


def test_an_estimator_with_a_parameter_that_is_not_described_is_refused():
    with pytest.raises(TypeError, match="'rate' parameter of Wrong has no type or constraint or d"):

        @with_parameters
        class Wrong(Base):
            rate: int = 3

    with pytest.raises(TypeError, match="'rate' parameter of Other has no default"):

        @with_parameters
        class Other(Base):
            rate: int = param(type="int", constraint=[int], doc="A number.")


def test_a_constructor_beside_the_decorator_is_refused():
    with pytest.raises(TypeError, match="Wrong has an __init__"):

        @with_parameters
        class Wrong(Base):
            def __init__(self):
                pass


class Adding(TransferTextClassifier):
    volume: int = 3


class Changing(TransferTextClassifier):
    lr = 0.5


class Mixing(Pitch, TransferTextClassifier):
    pass


class BelowAdding(Adding):
    pass


@pytest.mark.parametrize(
    ("cls", "named", "parameter"),
    [
        (Adding, "Adding", "'volume'"),
        (Changing, "Changing", "'lr'"),
        (Mixing, "Mixing", "'backbone'"),
        (BelowAdding, "Adding", "'volume'"),
    ],
)
def test_fit_names_an_undecorated_class_whose_parameters_would_be_lost(cls, named, parameter):
    estimator = cls()
    with pytest.raises(TypeError, match=rf"^{named} .*{parameter}.*with_parameters"):
        estimator.fit(["good", "bad"], [1, 0])


class WithMethods(TransferTextClassifier):
    """Adds what is no parameter."""

    limit: ClassVar[int] = 3
    seen_: int
    _hidden: int

    def fit(self, X, y):
        self.seen_ = len(X)
        return super().fit(X, y)


class Classic(TransferTextClassifier):
    def __init__(self, backbone="hashing", volume=3):
        super().__init__(backbone, freeze="frozen", random_state=0)
        self.volume = volume


@pytest.mark.parametrize(
    "estimator",
    [WithMethods("hashing", freeze="frozen", random_state=0), Classic(volume=4)],
    ids=["methods", "constructor"],
)
def test_a_subclass_with_methods_or_a_constructor_of_its_own_works(estimator):
    fitted = clone(estimator).fit(["good", "bad"], [1, 0])
    assert fitted.predict(["good", "bad"]).tolist() == [1, 0]
    assert fitted.get_params() == estimator.get_params()


@pytest.mark.parametrize("cls", [*ESTIMATORS, Base, Sound, Loud, WithMethods, Classic])
def test_classes_that_lose_nothing_are_accepted(cls):
    check_decorated(cls)
