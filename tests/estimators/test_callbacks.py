"""scikit-learn's and skorch's callbacks: who is told of what, and who may end a training."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from torch.optim.lr_scheduler import LambdaLR

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.training.execution import draw_seed
from sktransfer.training.holdout import hold_out

BACKBONE = HashingBackbone(dim=16, n_buckets=1024)


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:80], movie[1][:80]


def quick(cls=TransferTextClassifier, **params):
    params = {"freeze": "full", "max_epochs": 3, "lr": 0.02, "random_state": 0} | params
    return cls(BACKBONE, **params)


def epochs_of(monitor, select="most_recent"):
    """Give the log's rows of epochs, grouped by their fit."""
    found = {}
    for row in monitor.get_logs(select=select).data:
        if row["task_name"] == "epoch":
            found.setdefault(row["parent_task_id_path"], []).append(row)
    return found


class Told:
    """A callback of scikit-learn that writes down what it is told."""

    def __init__(self, stop_after=None):
        self.events, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.events.append(f"end {context.task_name} {context.task_id}")
        self.X, self.y, self.metadata, self.fitted = X, y, metadata, fitted_estimator
        self.max_subtasks = context.max_subtasks
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


# --- scikit-learn's: what they are told -----------------------------------------------------------


def test_a_fit_is_a_task_and_each_epoch_a_task_of_it(data):
    told = Told()
    quick().set_callbacks(told).fit(*data)
    epochs = [f"{event} epoch {i}" for i in range(3) for event in ("begin", "end")]
    assert told.events == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]
    assert told.max_subtasks == 3


@pytest.mark.parametrize(
    ("freeze", "max_epochs", "n"), [("frozen", 5, 1), ("lp_ft", 4, 4), ("gradual", 5, 5)]
)
def test_epochs_in_which_only_the_head_is_fitted_are_one_task(data, freeze, max_epochs, n):
    told = Told()
    clf = quick(freeze=freeze, max_epochs=max_epochs).set_callbacks(told).fit(*data)
    assert [e for e in told.events if e.startswith("end")] == [
        *(f"end epoch {i}" for i in range(n)),
        "end fit 0",
    ]
    assert len(clf.history_) == told.max_subtasks == n


@pytest.mark.parametrize("cls", [TransferTextRegressor, TransferTextEncoder])
def test_other_estimators_tell_of_their_epochs_too(data, cls):
    told = Told()
    quick(cls).set_callbacks(told).fit(data[0], np.linspace(0, 1, 80))
    assert [event for event in told.events if event.startswith("end")] == [
        *(f"end epoch {i}" for i in range(3)),
        "end fit 0",
    ]


def test_callbacks_get_texts_labels_weights_and_an_estimator_that_predicts(data):
    told = Told()
    weight = np.r_[np.ones(60), 2 * np.ones(10), np.zeros(10)]
    clf = quick().set_callbacks(told).fit(*data, sample_weight=weight)
    assert list(told.X) == data[0][:70]
    assert told.y.tolist() == data[1][:70].tolist()
    assert told.metadata["sample_weight"].tolist() == weight[:70].tolist()
    assert told.fitted is not clf
    np.testing.assert_array_equal(told.fitted.predict_proba(data[0]), clf.predict_proba(data[0]))


def test_numbers_and_indicators_come_as_they_were_given(data):
    told = Told()
    y = 1000 + np.arange(80.0)
    quick(TransferTextRegressor).set_callbacks(told).fit(data[0], y)
    np.testing.assert_allclose(told.y, y, rtol=1e-6)
    Y = np.column_stack([data[1] == "positive", np.arange(80) % 2]).astype(int)
    quick().set_callbacks(told).fit(data[0], Y)
    np.testing.assert_array_equal(told.y, Y)


@pytest.mark.parametrize("average", [None, "ema"])
def test_the_estimator_of_an_epoch_predicts_what_is_scored_in_it(data, average):
    settings = {"early_stopping": True, "validation_fraction": 0.2, "scoring": "neg_log_loss"}
    codes = (data[1] == "positive").astype(int)
    _, valid = hold_out(80, codes, 0.2, draw_seed(0))
    found = []

    class Score(Told):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            proba = fitted_estimator.predict_proba([data[0][i] for i in valid])
            found.append(-log_loss(codes[valid], proba[:, 1]))

    clf = quick(average=average, **settings).set_callbacks(Score()).fit(*data)
    *epochs, fit = found
    np.testing.assert_allclose(epochs, [e["valid_score"] for e in clf.history_], atol=1e-5)
    assert len({round(score, 4) for score in epochs}) == 3
    assert fit >= max(epochs) - 1e-5  # the best epoch is restored before the fit ends


def test_watching_changes_nothing_of_the_training(data):
    watched = quick(head="mlp").set_callbacks(ScoringMonitor(scoring="f1_macro")).fit(*data)
    np.testing.assert_array_equal(
        watched.predict_proba(data[0]), quick(head="mlp").fit(*data).predict_proba(data[0])
    )


def test_an_error_leaves_nothing_behind_and_the_callback_is_torn_down(data):
    told = Told()

    class Fail(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("in the middle")

    clf = quick(callbacks=[Fail]).set_callbacks(told)
    with pytest.raises(RuntimeError, match="in the middle"):
        clf.fit(*data)
    assert told.events[-1] == "teardown"
    assert not hasattr(clf, "net_")
    assert not hasattr(clf, "_callback_fit_ctx")


def test_partial_fit_is_a_run_of_its_own(data):
    monitor = ScoringMonitor(scoring="accuracy")
    clf = quick().set_callbacks(monitor).fit(*data).partial_fit(*data)
    logs = monitor.get_logs(select="all")
    assert [len(log.data) for log in logs] == [4, 4]
    assert logs[1].data[-1]["accuracy"] == clf.score(*data)


# --- scikit-learn's: who ends a training ----------------------------------------------------------


@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_a_callback_that_returns_true_ends_the_training(data, cls):
    y = (data[1] == "positive").astype(int)
    told = Told(stop_after=2)
    fitted = quick(cls, max_epochs=10).set_callbacks(told).fit(data[0], y)
    assert fitted.n_iter_ == len(fitted.history_) == 2
    assert told.events[-3:] == ["end epoch 1", "end fit 0", "teardown"]
    assert fitted.predict(data[0]).shape == (80,)


def test_a_callback_may_end_a_training_after_its_probe(data):
    clf = quick(freeze="lp_ft").set_callbacks(Told(stop_after=1)).fit(*data)
    frozen = quick(freeze="frozen").fit(*data)
    assert len(clf.history_) == 1
    np.testing.assert_allclose(clf.predict_proba(data[0]), frozen.predict_proba(data[0]), atol=1e-6)


def test_a_training_that_a_callback_ended_still_restores_its_best_epoch(data):
    settings = {"early_stopping": True, "validation_fraction": 0.3, "scoring": "neg_log_loss"}
    stopped = quick(max_epochs=9, n_iter_no_change=9, **settings)
    stopped.set_callbacks(Told(stop_after=3)).fit(*data)
    scores = [epoch["valid_score"] for epoch in stopped.history_]
    assert len(scores) == 3
    whole = quick(max_epochs=9, n_iter_no_change=9, **settings).fit(*data)
    assert [epoch["valid_score"] for epoch in whole.history_][:3] == scores


# --- scikit-learn's own: ScoringMonitor -----------------------------------------------------------


@pytest.mark.parametrize("average", [None, "ema"])
def test_scores_of_epochs_end_with_the_score_of_the_fitted_estimator(data, average):
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    clf = quick(average=average).set_callbacks(monitor).fit(*data)
    (rows,) = epochs_of(monitor).values()
    assert [row["task_id"] for row in rows] == [0, 1, 2]
    assert {row["estimator_name"] for row in rows} == {"TransferTextClassifier"}
    assert rows[-1]["accuracy"] == clf.score(*data)
    assert len({row["neg_log_loss"] for row in rows}) == 3
    assert rows[-1]["neg_log_loss"] > rows[0]["neg_log_loss"]
    fit = monitor.get_logs().data[0]
    assert (fit["task_name"], fit["accuracy"]) == ("fit", clf.score(*data))


def test_scores_of_a_regressor_are_in_the_units_of_the_target(data):
    monitor = ScoringMonitor(scoring=["r2", "neg_mean_absolute_error"])
    y = 100 + 50 * (data[1] == "positive")
    reg = quick(TransferTextRegressor).set_callbacks(monitor).fit(data[0], y)
    (rows,) = epochs_of(monitor).values()
    assert rows[-1]["r2"] == pytest.approx(r2_score(y, reg.predict(data[0])))
    assert -rows[-1]["neg_mean_absolute_error"] == pytest.approx(
        np.abs(y - reg.predict(data[0])).mean()
    )


def test_scores_of_several_labels_are_those_of_scikit_learn(data):
    from scipy.sparse import csr_matrix

    Y = np.column_stack([data[1] == "positive", np.arange(80) % 2]).astype(int)
    for labels in (Y, csr_matrix(Y)):
        monitor = ScoringMonitor(scoring=["f1_micro", "accuracy"])
        # Scores of epochs are by the threshold that is given; tuned ones are known in the end.
        clf = quick(threshold=0.5).set_callbacks(monitor).fit(data[0], labels)
        (rows,) = epochs_of(monitor).values()
        assert rows[-1]["accuracy"] == accuracy_score(labels, clf.predict(data[0]))


def test_a_refit_is_scored_without_the_temperature_of_the_fit_before(data):
    monitor = ScoringMonitor(scoring="neg_log_loss")
    params = {"calibrate": "temperature", "validation_fraction": 0.3, "lr": 0.05}
    clf = quick(**params).set_callbacks(monitor).fit(*data)
    assert abs(clf.temperature_ - 1) > 0.2
    clf.fit(*data)
    first, second = (
        [row["neg_log_loss"] for row in log.data] for log in monitor.get_logs(select="all")
    )
    assert first == second


def test_the_estimator_of_an_epoch_has_nothing_of_the_fit_before(data):
    Y = np.column_stack([data[1] == "positive", np.arange(80) % 2]).astype(int)
    seen = []

    class Look(Told):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            seen.append({n for n in vars(fitted_estimator) if n.endswith("_")})

    settings = {"calibrate": "temperature", "validation_fraction": 0.4, "max_epochs": 1}
    clf = quick(**settings).fit(data[0], Y).set_params(calibrate=None)
    assert hasattr(clf, "temperature_")
    clf.anything_ = 3
    clf.set_callbacks(Look()).fit(*data)
    assert len(seen) == 2
    for names in seen:
        assert not {"anything_", "temperature_", "thresholds_", "sparse_output_"} & names
        assert {"classes_", "multilabel_", "net_"} <= names


def test_a_monitor_in_a_pipeline_sees_the_epochs_of_its_step(data):
    monitor = ScoringMonitor(scoring="accuracy")
    clf = quick().set_callbacks(monitor)
    pipe = Pipeline([("clean", FunctionTransformer()), ("clf", clf)]).fit(*data)
    assert monitor.get_logs().estimator_name == "Pipeline"
    ((path, rows),) = epochs_of(monitor).items()
    assert path == (0, 1)  # the pipeline's second step
    assert [row["task_id"] for row in rows] == [0, 1, 2]
    assert rows[-1]["accuracy"] == pipe.score(*data)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_monitor_in_a_search_sees_the_epochs_of_every_fit(data, n_jobs):
    monitor = ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(
        quick().set_callbacks(monitor), {"max_epochs": [2, 3]}, cv=2, n_jobs=n_jobs
    ).fit(*data)
    assert monitor.get_logs().estimator_name == "GridSearchCV"
    found = epochs_of(monitor)
    refit = found.pop((0, 1))
    assert sorted(found) == [(0, 0, i) for i in range(4)]
    # Candidates stand one after the other, each with its splits.
    assert [len(found[0, 0, i]) for i in range(4)] == [2, 2, 3, 3]
    for rows in [*found.values(), refit]:
        assert [row["task_id"] for row in rows] == list(range(len(rows)))
    assert len(refit) == search.best_params_["max_epochs"]
    assert refit[-1]["accuracy"] == search.score(*data)
    assert hasattr(search.best_estimator_, "_skl_callbacks")


def test_clone_keeps_callbacks_as_scikit_learn_does(data):
    told = Told()
    clone(quick().set_callbacks(told)).fit(*data)
    assert told.events[-1] == "teardown"


# --- scikit-learn's own: ProgressBar --------------------------------------------------------------


def test_progress_is_shown_where_it_is_asked_for_and_nothing_is_printed_elsewhere(data, capfd):
    quick().fit(*data).predict(data[0])
    quick(early_stopping=True, freeze="lp_ft", average="soup").fit(*data)
    quick(TransferTextRegressor).fit(data[0], np.arange(80.0))
    quick(TransferTextEncoder).fit(*data).transform(data[0])
    assert capfd.readouterr() == ("", "")
    quick().set_callbacks(ProgressBar()).fit(*data)
    shown = capfd.readouterr().out
    assert "TransferTextClassifier - fit" in shown
    assert "100%" in shown


def test_progress_is_shown_through_a_pipeline_and_a_search(data, capfd):
    pipe = Pipeline([("clean", FunctionTransformer()), ("clf", quick())])
    with pytest.warns(UserWarning, match="FunctionTransformer does not support callbacks"):
        pipe.set_callbacks(ProgressBar()).fit(*data)
    shown = capfd.readouterr().out
    assert "Pipeline - fit" in shown
    assert re.search("final-estimator .* TransferTextClassifier", shown)
    GridSearchCV(quick(), {"max_epochs": [1, 2]}, cv=2).set_callbacks(ProgressBar()).fit(*data)
    assert len(re.findall("TransferTextClassifier - fit", capfd.readouterr().out)) == 5


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_an_encoder_may_stand_in_a_pipeline_whose_progress_is_shown(data, capfd, freeze):
    pipe = Pipeline([("encode", quick(TransferTextEncoder, freeze=freeze)), ("clf", logistic())])
    pipe.set_callbacks(ProgressBar()).fit(*data)
    assert pipe.predict(data[0]).shape == (80,)
    assert "Pipeline - fit" in capfd.readouterr().out


def logistic():
    return LogisticRegression(max_iter=1000)


# --- skorch's -----------------------------------------------------------------------------------


SEEN = []


class Count(Callback):
    def __init__(self):
        self.n = 0

    def on_epoch_end(self, net, **kwargs):
        self.n += 1
        SEEN.append(self.n)


class Writer(Count):
    """Holds what cannot be copied."""

    def __init__(self):
        super().__init__()
        self.file = open("/dev/null")  # noqa: SIM115

    def on_train_end(self, net, **kwargs):
        self.file.close()


@pytest.mark.parametrize(
    "entry",
    [
        Count,
        Count(),
        lambda: Count(),
        ("count", Count),
        ("count", Count()),
        ("count", Writer),
        Writer,
    ],
    ids=["class", "instance", "function", "named class", "named", "named writer", "writer"],
)
def test_skorch_callbacks_are_given_in_any_of_their_forms_and_begin_anew(data, entry):
    for callbacks in ([entry], (entry,)):
        SEEN.clear()
        clf = quick(callbacks=callbacks).fit(*data)
        assert SEEN == [1, 2, 3]
        clf.partial_fit(*data)
        assert SEEN == [1, 2, 3, 1, 2, 3]


def test_names_of_callbacks_are_those_that_were_given(data):
    names = []

    class Look(Callback):
        def on_train_begin(self, net, **kwargs):
            names.extend(name for name, _ in net.callbacks_)

    quick(callbacks=[("mine", Count), ("best", Look), ("lr", Look)]).fit(*data)
    assert {"mine", "best", "lr"} <= set(names)  # ours are called otherwise


def test_several_callbacks_of_a_kind_stand_side_by_side(data):
    SEEN.clear()
    quick(callbacks=[Count, Count(), ("third", Count)], max_epochs=1).fit(*data)
    assert SEEN == [1, 1, 1]


@pytest.mark.parametrize("entry", [object(), "early_stopping", ("name", 3)])
def test_what_is_no_callback_is_refused(data, entry):
    with pytest.raises(TypeError, match="a skorch callback is expected, or a function"):
        quick(callbacks=[entry]).fit(*data)


def test_skorch_scores_a_regressor_and_several_labels(data):
    def scores(clf, scoring, y):
        found = []

        class Keep(Callback):
            def on_epoch_end(self, net, **kwargs):
                found.append(net.history[-1]["mine"])

        score = EpochScoring(scoring, on_train=False, name="mine", lower_is_better=False)
        settings = {"early_stopping": True, "validation_fraction": 0.3}
        fitted = clf.set_params(callbacks=[score, Keep], scoring=scoring, **settings)
        fitted.fit(data[0], y)
        return found, [epoch["valid_score"] for epoch in fitted.history_]

    found, own = scores(quick(TransferTextRegressor), "r2", np.arange(80.0) % 7)
    np.testing.assert_allclose(found, own, rtol=1e-4)
    Y = np.column_stack([data[1] == "positive", np.arange(80) % 2]).astype(int)
    found, own = scores(quick(), "f1_micro", Y)
    np.testing.assert_allclose(found, own)


def test_tensorboard_is_written_where_it_is_told(data, tmp_path):
    pytest.importorskip("tensorboard")
    from skorch.callbacks import TensorBoard
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    clf = quick(
        callbacks=[lambda: TensorBoard(SummaryWriter(tmp_path / "runs"), close_after_train=True)],
        early_stopping=True,
        validation_fraction=0.2,
    ).fit(*data)
    events = EventAccumulator(str(tmp_path / "runs")).Reload()
    for name in ("train_loss", "valid_loss", "valid_score"):
        logged = [(event.step, event.value) for event in events.Scalars(f"Loss/{name}")]
        assert logged == [
            (epoch["epoch"], pytest.approx(epoch[name], rel=1e-5)) for epoch in clf.history_
        ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_gets_a_metric_for_each_epoch(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow.tracking import MlflowClient
    from skorch.callbacks import MlflowLogger

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'runs.db'}")
    run = client.create_run(client.create_experiment("reviews", str(tmp_path / "artifacts")))
    clf = quick(callbacks=[lambda: MlflowLogger(run, client, create_artifact=False)]).fit(*data)
    logged = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in logged] == [
        (epoch["epoch"], epoch["train_loss"]) for epoch in clf.history_
    ]
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_logs_a_model_and_loads_it_as_the_guide_says(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    import mlflow
    import mlflow.sklearn

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    clf = quick().fit(*data)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            clf, name="reviews", serialization_format="cloudpickle", pip_requirements=["sktransfer"]
        )
    loaded = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), clf.predict_proba(data[0]))


# --- what a notebook shows ----------------------------------------------------------------------


def shown(estimator):
    html = re.sub(r"(?s)<(style|script)>.*?</\1>", "", estimator._repr_html_())
    return re.sub(r"(\s|<[^>]*>)+", " ", html)


@pytest.mark.parametrize(
    "cls", [TransferTextClassifier, TransferTextRegressor, TransferTextEncoder]
)
def test_a_notebook_shows_backbone_strategy_and_parameters(data, cls):
    fitted = quick(cls).fit(data[0], (data[1] == "positive").astype(int))
    html = shown(fitted)
    for name, value in [
        ("backbone_", "HashingBackbone"),
        ("freeze_", "Full"),
        ("n_parameters_", "dict"),
    ]:
        assert re.search(rf"\b{name} {value}", html), name
    total = fitted.n_parameters_["trained"]
    assert total == 16 * 1025 + 16 * 16 + 16
    assert re.search(rf"frozen.{{0,10}}: 0, .{{0,10}}trained.{{0,10}}: {total}", html)
    assert "n_parameters_" not in shown(clone(fitted))


def test_what_a_callback_keeps_of_an_epoch_does_not_change_later(data):
    X = data[0][:5]

    class Keep:
        kept = []

        def setup(self, estimator, context): ...

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.kept.append((fitted_estimator, fitted_estimator.predict_proba(X)))

    quick(freeze="full", max_epochs=3).set_callbacks(Keep()).fit(*data)
    assert len(Keep.kept) == 4
    for model, before in Keep.kept:
        np.testing.assert_array_equal(model.predict_proba(X), before)


# --- skorch's: rates and scores -------------------------------------------------------------------


@pytest.mark.parametrize("named", [False, True])
def test_a_scheduler_of_the_learning_rate_is_followed(data, named):
    def losses(factor=None):
        scheduler = LRScheduler(LambdaLR, lr_lambda=lambda step: factor, step_every="batch")
        callbacks = None if factor is None else [("rate", scheduler) if named else scheduler]
        return [e["train_loss"] for e in quick(callbacks=callbacks).fit(*data).history_]

    still = losses(0.0)
    np.testing.assert_allclose(still, still[0], rtol=1e-5)
    assert losses(1.0)[-1] < losses(0.1)[-1] < still[-1]
    assert losses(1.0) != losses()


@pytest.mark.parametrize("callback", [EarlyStopping(patience=1), Checkpoint()])
def test_a_callback_that_goes_by_held_out_rows_is_refused_without_them(data, callback):
    with pytest.raises(ValueError, match=r"valid_loss.*early_stopping=True.*train_loss"):
        quick(callbacks=[callback]).fit(*data)


def test_skorchs_early_stopping_goes_by_held_out_rows_or_by_the_training_loss(data):
    never = EarlyStopping(patience=1, threshold=1e9, threshold_mode="abs")
    clf = quick(callbacks=[never], early_stopping=True, max_epochs=6)
    assert clf.fit(*data).n_iter_ < 6
    on_loss = EarlyStopping("train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    assert quick(callbacks=[on_loss], max_epochs=6).fit(*data).n_iter_ < 6


def test_callbacks_warn_where_no_epoch_is_trained(data):
    with pytest.warns(UserWarning, match=r"callbacks=\[EarlyStopping.*head_by_epochs"):
        quick(freeze="frozen", callbacks=[EarlyStopping()]).fit(*data)
