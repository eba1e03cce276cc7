"""One space for all that a pipeline is made of."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import TransferTextClassifier, TransferTextEncoder
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.freezing.strategies import TopLayers
from sktransfer.tuning import search_space
from sktransfer.tuning.space import checked_space, current_point, starting_points

CLF = TransferTextClassifier("hashing")


def prefixed(prefix, estimator):
    return {f"{prefix}__{key}": value for key, value in estimator.search_space().items()}


def test_an_estimators_space_is_its_own():
    assert search_space(CLF) == CLF.search_space()
    assert list(search_space(CLF)) == sorted(search_space(CLF))


def test_steps_prefix_their_space():
    pipe = Pipeline([("clf", CLF)])
    assert search_space(pipe) == prefixed("clf", CLF)
    assert search_space(make_pipeline(pipe)) == prefixed("pipeline__clf", CLF)


def test_columns_and_stacks_are_gone_through():
    encoder = TransferTextEncoder("hashing")
    columns = ColumnTransformer([("text", encoder, "text"), ("number", StandardScaler(), ["n"])])
    pipe = Pipeline([("columns", columns), ("model", LogisticRegression())])
    assert search_space(pipe) == prefixed("columns__text", encoder)
    stack = StackingClassifier(
        [("a", CLF), ("b", make_pipeline(TfidfVectorizer(), LogisticRegression()))]
    )
    assert search_space(stack) == prefixed("a", CLF)


def test_every_key_can_be_set():
    clf = TransferTextClassifier("hashing", freeze=TopLayers())
    pipe = Pipeline([("clf", clf)])
    space = search_space(pipe)
    # The object's own parameters stand there once, by way of the estimator.
    assert "clf__freeze__k" in space
    pipe.set_params(clf__freeze__k=2, clf__head__C=3.0)
    assert pipe["clf"].freeze.k == 2
    assert pipe["clf"].head.C == 3.0


def test_what_declares_nothing_has_an_empty_space():
    assert search_space(make_pipeline(TfidfVectorizer(), LogisticRegression())) == {}


@pytest.mark.parametrize("wrong", [TransferTextClassifier, "minilm", None, 3])
def test_what_is_no_estimator_is_refused(wrong):
    with pytest.raises(TypeError, match="has to have get_params"):
        search_space(wrong)


def test_heads_are_tried_before_trainings_from_the_defaults_of_the_strategies_on():
    clf = TransferTextClassifier("hashing")
    cheap, dear = starting_points(clf, search_space(clf), n_cheap=3)
    assert cheap[0]["freeze"] == "frozen"
    assert cheap[0]["head__C"] == 1.0
    # What else a head has is left to the sampler.
    assert cheap[1:] == [{"freeze": "frozen"}] * 2
    assert {point["freeze"] for point in dear} == {"top_layers", "gradual", "lp_ft", "full"}
    space = {
        "freeze": CategoricalDistribution(["full", "top_layers"]),
        "freeze__k": IntDistribution(1, 6),
        # The default is not among them, and is drawn.
        "backbone__dim": IntDistribution(2, 4),
    }
    assert starting_points(clf, space, n_cheap=3) == (
        [],
        [{"freeze": "top_layers", "freeze__k": TopLayers().k}, {"freeze": "full"}],
    )


def test_the_estimator_as_it_stands_is_no_second_start():
    pipe = Pipeline([("clf", LogisticRegression(C=0.3))])
    assert starting_points(pipe, {"clf__C": FloatDistribution(0.1, 1.0)}) == ([], [])


def test_what_stands_is_told_with_the_values_of_plugins_that_are_given_by_name():
    pipe = Pipeline([("clf", TransferTextClassifier("hashing", freeze="frozen"))])
    space = search_space(pipe)
    assert current_point(pipe, [*space, "clf__lr"]) == {
        "clf__backbone__dim": HashingBackbone().dim,
        "clf__head__C": "auto",
    }


def test_a_parameter_that_no_plugin_has_a_use_for_is_refused_or_warned_of():
    pipe = Pipeline([("clf", TransferTextClassifier("hashing", max_epochs=1))])
    depth = {"clf__freeze__k": [1, 2]}
    with pytest.raises(ValueError, match="clf__freeze__k of search_space has no effect"):
        checked_space(pipe, depth)
    with pytest.warns(UserWarning, match="clf__freeze__k of search_space has no effect"):
        checked_space(pipe, {**depth, "clf__max_epochs": [1, 2]})
    for others in (
        {"clf__freeze": ["frozen", "top_layers"]},
        # As it stands, or with a plugin that is chosen.
        {"clf__freeze": CategoricalDistribution(["gradual", "bottom_layers"])},
    ):
        assert set(checked_space(pipe, {**depth, **others})) == {*depth, *others}
    assert checked_space(pipe.set_params(clf__freeze="top_layers"), depth)


@pytest.mark.filterwarnings("error")
def test_what_estimators_declare_has_an_effect():
    for freeze in ("auto", "frozen", "top_layers"):
        clf = TransferTextClassifier("hashing", freeze=freeze)
        assert set(checked_space(clf, None)) == set(clf.search_space())
