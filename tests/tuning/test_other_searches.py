"""Searches of scikit-learn and of Optuna on our estimators, and Optuna's tools on our study."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.tuning import search_space

CLF = TransferTextClassifier("hashing", max_epochs=2, random_state=0)
PIPE = Pipeline([("same", FunctionTransformer()), ("clf", CLF)])


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:72], movie[1][:72]


@pytest.fixture(scope="module")
def study(data):
    space = {**search_space(CLF), "freeze": ["frozen", "full", "lp_ft"]}
    search = TransferSearchCV(CLF, space, n_trials=14, cv=2, random_state=0, refit=False)
    return search.fit(*data).study_


@pytest.mark.filterwarnings("ignore:.*have less than 2 trials")
@pytest.mark.parametrize("name", ["Fanova", "PedAnova"])
def test_optuna_tells_which_parameters_matter(study, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = getattr(optuna.importance, f"{name}ImportanceEvaluator")()
        # fANOVA compares parameters that every trial has, and the first trial chose no strategy.
        params = ["freeze", "backbone__dim"] if name == "Fanova" else None
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=params)
    asked = [set(t.params) for t in study.get_trials(states=(TrialState.COMPLETE,))]
    assert set(found) == set(params or set.union(*asked))
    assert "freeze" in found
    assert sum(found.values()) == pytest.approx(1.0)


@pytest.mark.filterwarnings("ignore:.*have less than 2 trials")
@pytest.mark.filterwarnings("ignore:Attempting to set identical")
@pytest.mark.parametrize(
    "plot",
    ["optimization_history", "intermediate_values", "param_importances", "slice", "timeline"],
)
def test_optunas_plots_draw_the_study(study, plot):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = getattr(optuna.visualization.matplotlib, f"plot_{plot}")(study)
    axes = np.ravel(drawn)
    assert any(ax.has_data() for ax in axes)
    plt.close("all")


def test_the_history_in_the_plot_is_that_of_the_results(study):
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        axes = optuna.visualization.matplotlib.plot_optimization_history(study)
    shown = axes.collections[0].get_offsets()[:, 1].tolist()
    done = study.get_trials(states=(TrialState.COMPLETE,))
    assert shown == [trial.value for trial in done]
    plt.close("all")


@pytest.mark.parametrize("estimator", [CLF, PIPE], ids=["alone", "pipeline"])
def test_optunas_own_search_takes_the_same_flat_space(data, estimator):
    integration = pytest.importorskip("optuna_integration")
    space = search_space(estimator)
    prefix = "" if estimator is CLF else "clf__"
    assert f"{prefix}freeze__layer_decay" in space
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = integration.OptunaSearchCV(
            estimator, space, n_trials=3, cv=2, random_state=0, error_score="raise", verbose=0
        ).fit(*data)
    assert len(search.study_.trials) == 3
    assert all(set(trial.params) == set(space) for trial in search.study_.trials)
    assert search.best_estimator_.predict(data[0]).shape == (72,)


def test_optunas_own_search_prunes_by_partial_fit(data):
    integration = pytest.importorskip("optuna_integration")

    class Hopeless(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number > 0 and trial.last_step >= 1

    clf = TransferTextClassifier("hashing", freeze="full", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = integration.OptunaSearchCV(
            clf,
            {"lr": FloatDistribution(1e-4, 1e-2, log=True)},
            cv=2,
            enable_pruning=True,
            error_score="raise",
            max_iter=3,
            n_trials=3,
            random_state=0,
            study=optuna.create_study(direction="maximize", pruner=Hopeless()),
            verbose=0,
        ).fit(*data)
    states = [trial.state for trial in search.study_.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    assert search.study_.trials[0].last_step == 2
    assert search.study_.trials[1].last_step == 1
    assert search.best_estimator_.classes_.tolist() == sorted(set(data[1]))


@pytest.mark.filterwarnings("ignore:max_epochs=1 ends before")
@pytest.mark.parametrize("halving", [HalvingGridSearchCV, HalvingRandomSearchCV])
@pytest.mark.parametrize("resource", ["n_samples", "clf__max_epochs"])
def test_halving_searches_give_the_best_more(data, halving, resource):
    space = {"clf__freeze": ["full", "lp_ft"], "clf__lr": [1e-4, 1e-3, 1e-2]}
    search = halving(
        PIPE,
        space,
        cv=2,
        factor=2,
        resource=resource,
        max_resources=72 if resource == "n_samples" else 4,
        min_resources=18 if resource == "n_samples" else 1,
        random_state=0,
        error_score="raise",
    ).fit(*data)
    # A random one draws as many settings as its resources allow.
    assert search.n_candidates_[0] >= 4
    assert search.n_candidates_ == sorted(search.n_candidates_, reverse=True)
    assert search.n_resources_ == sorted(search.n_resources_)
    assert len(set(search.n_resources_)) > 1
    assert search.best_estimator_["clf"].lr == search.best_params_["clf__lr"]
