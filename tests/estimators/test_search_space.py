"""What an estimator declares as worth tuning, and plugins by name with parameters of their own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.freezing.strategies import Frozen, Full, Gradual, TopLayers
from sktransfer.heads.mlp import MLPHead


def test_a_named_plugin_becomes_an_object_when_its_parameters_are_set():
    clf = TransferTextClassifier().set_params(freeze="top_layers", freeze__k=3)
    assert isinstance(clf.freeze, TopLayers)
    assert clf.freeze.k == 3
    clf.set_params(head__C=0.5, backbone="hashing", backbone__dim=8)
    assert (clf.head.C, clf.backbone.dim) == (0.5, 8)
    assert clone(clf).get_params()["freeze__k"] == 3
    # Without parameters of its own a name stays a name.
    assert clf.set_params(freeze="full").freeze == "full"


def test_the_order_in_which_parameters_are_given_does_not_matter():
    clf = TransferTextClassifier().set_params(
        freeze__k=3, head__hidden=7, head="mlp", freeze="top_layers"
    )
    assert clf.freeze.k == 3
    assert isinstance(clf.head, MLPHead)
    assert clf.head.hidden == 7


def test_parameters_of_choices_that_were_not_made_are_left_out():
    clf = TransferTextClassifier().set_params(freeze="frozen", freeze__k=3, freeze__every=2)
    assert clf.freeze == "frozen"
    clf = TransferTextClassifier().set_params(freeze="gradual", freeze__k=3, freeze__every=2)
    assert isinstance(clf.freeze, Gradual)
    assert clf.freeze.every == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"freeze__kk": 3}, "freeze__kk is no parameter of 'auto' or of any other freeze"),
        ({"freeze": "gradul", "freeze__k": 3}, "gradul"),
        ({"head__": 3}, "is no parameter"),
        ({"depth": 3}, "Invalid parameter 'depth'"),
        ({"depth__k": 3}, "Invalid parameter 'depth'"),
    ],
)
def test_what_nobody_has_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        TransferTextClassifier().set_params(**params)


def test_parameters_of_an_object_are_set_in_place_as_ever():
    clf = TransferTextClassifier(freeze=TopLayers(k=1))
    clf.set_params(freeze__k=4)
    assert clf.freeze.k == 4
    with pytest.raises(ValueError, match="Invalid parameter 'every'"):
        clf.set_params(freeze__every=4)


def test_the_space_holds_the_parameters_of_all_choices():
    space = TransferTextClassifier().search_space()
    assert set(space["freeze"].choices) >= {"frozen", "full", "lp_ft", "top_layers", "gradual"}
    assert {"freeze__k", "freeze__every", "freeze__layer_decay", "head__C", "lr"} <= set(space)
    # What several choices have is as wide as the widest of them.
    lows = [plugin().search_space()["layer_decay"].low for plugin in (Full, Gradual)]
    assert space["freeze__layer_decay"].low == min(lows)
    assert space["lr"].log
    for key in space:
        parameter = key.partition("__")[0]
        assert parameter in TransferTextClassifier().get_params(deep=False)


@pytest.mark.parametrize(
    "estimator",
    [
        TransferTextClassifier("hashing"),
        TransferTextRegressor("hashing"),
        TransferTextEncoder("hashing"),
        TransferTextClassifier(HashingBackbone(dim=8), freeze=Full(), head=MLPHead()),
    ],
)
def test_anything_that_is_drawn_from_the_space_can_be_set(estimator):
    import optuna
    from optuna.samplers import RandomSampler

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    space = estimator.search_space()
    for _ in range(20):
        drawn = study.ask(space).params
        tried = clone(estimator).set_params(**drawn)
        tried._resolve()
        for key, value in drawn.items():
            if "__" in key and tried.is_active(key):
                assert tried.get_params()[key] == value


def test_objects_leave_no_choice_of_names():
    space = TransferTextClassifier("hashing", freeze=Frozen(), head=MLPHead()).search_space()
    assert "freeze" not in space
    assert "lr" not in space
    assert {"head__hidden", "backbone__dim"} <= set(space)


def test_what_was_set_is_not_searched():
    space = TransferTextClassifier(freeze="frozen").search_space()
    assert not {"freeze", "lr", "freeze__k"} & set(space)
    space = TransferTextClassifier(freeze="top_layers", lr=1e-4).search_space()
    assert not {"freeze", "lr"} & set(space)
    assert "freeze__k" in space


def test_what_has_no_effect_does_not_matter():
    clf = TransferTextClassifier(freeze="frozen")
    assert not clf.is_active("lr")
    assert not clf.is_active("head__lr_scale")
    assert not clf.is_active("freeze__k")
    assert clf.is_active("head__C")
    assert clf.is_active("max_length")
    clf.set_params(freeze="top_layers")
    assert clf.is_active("lr")
    # The head's penalty is of heads that are fitted to convergence.
    assert not clf.is_active("head__C")
    assert clf.is_active("head__lr_scale")
    assert clone(clf).set_params(freeze="lp_ft").is_active("head__C")
    assert clone(clf).set_params(freeze="auto").is_active("head__C")
    assert clf.is_active("freeze__k")
    assert not clf.is_active("freeze__every")


def test_a_flat_space_is_searched_by_scikit_learn_too(movie):
    X, y = movie[0][:40], movie[1][:40]
    pipe = Pipeline(
        [
            ("same", FunctionTransformer()),
            ("clf", TransferTextClassifier("hashing", max_epochs=2, random_state=0)),
        ]
    )
    grid = {
        "clf__freeze": ["frozen", "top_layers"],
        "clf__freeze__k": [1, 2],
        "clf__head__C": [0.1, 10.0],
    }
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    space = {"clf__freeze": ["frozen", "gradual"], "clf__freeze__every": [1, 2], "clf__lr": [1e-3]}
    search = RandomizedSearchCV(
        pipe, space, n_iter=3, cv=2, error_score="raise", random_state=0
    ).fit(X, y)
    assert search.best_estimator_["clf"].lr == 1e-3


def test_distributions_of_one_name_must_be_alike(monkeypatch):
    monkeypatch.setattr(
        Full, "search_space", lambda self: {"layer_decay": CategoricalDistribution([0.5, 1.0])}
    )
    with pytest.raises(ValueError, match="different kinds of freeze__layer_decay"):
        TransferTextClassifier().search_space()
    monkeypatch.setattr(
        Full, "search_space", lambda self: {"layer_decay": FloatDistribution(0.1, 1.0)}
    )
    assert TransferTextClassifier().search_space()["freeze__layer_decay"].low == 0.1


def test_a_parameter_that_the_named_plugin_lacks_warns_unless_the_name_is_set_with_it():
    clf = TransferTextClassifier("hashing")
    with pytest.warns(UserWarning, match=r"freeze__k has no effect: freeze='auto'.*set_params\("):
        clf.set_params(freeze__k=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.set_params(freeze="frozen", freeze__k=1)
        clf.set_params(freeze="top_layers", freeze__k=1)
    assert clf.freeze.k == 1
