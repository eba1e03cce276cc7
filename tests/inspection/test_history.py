import json
import math
import subprocess
import sys

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.inspection import TrainingHistoryDisplay

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 5
LABELS = ["good", "good", "bad", "bad"] * 5
QUESTIONS = ["where is it?", "it is here"] * 10
KINDS = ["question", "answer"] * 10


@pytest.fixture
def ax():
    figure = pytest.importorskip("matplotlib.figure")
    return figure.Figure(layout="constrained").subplots()


@pytest.fixture(scope="module")
def two_stages():
    """Gradual unfreezing that holds rows out, then two epochs of everything, and one more."""
    clf = TransferTextClassifier(
        "hashing",
        freeze="gradual",
        max_epochs=4,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=9,
        random_state=0,
    ).fit(TEXTS, LABELS)
    clf.set_params(freeze="full", max_epochs=2, early_stopping=False)
    clf.partial_fit(QUESTIONS, KINDS, classes=["answer", "question"])
    clf.set_params(max_epochs=1).partial_fit(QUESTIONS, KINDS)
    assert [len(record["blocks"]) for record in clf.history_] == [0, 1, 2, 2, 2, 2, 2]
    return clf


def points(line):
    """Give the points of a curve that are drawn."""
    return {float(x): y for x, y in zip(*line.get_data(), strict=True) if not math.isnan(y)}


def stage_names(display):
    return [
        text.get_text()
        for axis in display.ax_.child_axes
        for text in axis.get_xticklabels()
        if axis is not display.blocks_ax_
    ]


def test_epochs_are_numbered_on_through_the_stages(ax, two_stages):
    display = TrainingHistoryDisplay.from_estimator(two_stages, ax=ax)
    history = two_stages.history_
    for key in ("train_loss", "valid_loss", "valid_score"):
        assert points(display.lines_[key]) == {
            float(i): record[key] for i, record in enumerate(history, start=1) if key in record
        }
    assert len(points(display.lines_["train_loss"])) == 7
    assert display.ax_.get_xlim() == (0.5, 7.5)


def test_scores_have_an_axis_of_their_own(ax, two_stages):
    display = TrainingHistoryDisplay.from_estimator(two_stages, ax=ax)
    assert display.lines_["train_loss"].axes is display.ax_ is ax
    assert display.lines_["valid_score"].axes is display.score_ax_ is not ax
    assert display.figure_ is ax.figure


def test_without_rows_held_out_there_is_one_curve_and_one_axis(ax):
    reg = TransferTextRegressor("hashing", max_epochs=3, random_state=0)
    display = TrainingHistoryDisplay.from_estimator(reg.fit(TEXTS, range(20)), ax=ax)
    assert list(display.lines_) == ["train_loss"]
    assert display.score_ax_ is None


def test_stages_are_named_and_divided(ax, two_stages):
    display = TrainingHistoryDisplay.from_estimator(two_stages, ax=ax)
    assert [line.get_xdata()[0] for line in display.stage_lines_] == [4.5, 6.5]
    assert stage_names(display) == ["source", "target", "target 2"]
    x, y = display.lines_["train_loss"].get_data()
    assert [at for at, value in zip(x, y, strict=True) if math.isnan(value)] == [4.5, 6.5]


def test_names_that_would_overlap_are_left_out(ax):
    record = {"stage": "target", "epoch": 1, "blocks": [], "train_loss": 1.0}
    display = TrainingHistoryDisplay(history=[record] * 200).plot(ax)
    assert len(display.stage_lines_) == 199
    assert 3 < len(stage_names(display)) < 60
    display.figure_.draw_without_rendering()


def test_the_strip_shows_how_many_blocks_train(ax, two_stages):
    display = TrainingHistoryDisplay.from_estimator(two_stages, ax=ax)
    for step in display.blocks_ax_.patches:
        assert step.get_data().values.tolist() == [0, 1, 2, 2, 2, 2, 2]
        assert step.get_data().edges.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]


def test_a_frozen_fit_is_a_point_that_is_seen(ax):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0).fit(TEXTS, LABELS)
    display = TrainingHistoryDisplay.from_estimator(clf, ax=ax)
    line = display.lines_["train_loss"]
    assert points(line) == {1.0: clf.history_[0]["train_loss"]}
    assert line.get_marker() not in ("None", "", None)
    assert ax.get_xlim() == (0.5, 1.5)
    low, high = ax.get_ylim()
    assert low < clf.history_[0]["train_loss"] < high


@pytest.mark.parametrize(
    "wrap",
    [
        FrozenEstimator,
        lambda clf: make_pipeline(FunctionTransformer(), clf),
        lambda clf: make_pipeline(FunctionTransformer(), FrozenEstimator(clf)),
        lambda clf: FrozenEstimator(make_pipeline(FunctionTransformer(), clf)),
    ],
    ids=["frozen", "pipeline", "frozen in pipeline", "pipeline in frozen"],
)
def test_what_an_estimator_is_wrapped_in_does_not_matter(ax, two_stages, wrap):
    display = TrainingHistoryDisplay.from_estimator(wrap(two_stages), ax=ax)
    assert display.history is two_stages.history_
    assert display.name == "TransferTextClassifier"


def test_a_saved_estimator_is_drawn_alike(ax, two_stages, tmp_path):
    from sktransfer import load

    two_stages.save(tmp_path / "m")
    display = TrainingHistoryDisplay.from_estimator(load(tmp_path / "m"), ax=ax)
    assert display.history == two_stages.history_


@pytest.mark.parametrize("wrap", [lambda e: e, FrozenEstimator, make_pipeline])
@pytest.mark.parametrize(
    "cls", [TransferTextClassifier, TransferTextRegressor, TransferTextEncoder]
)
def test_an_unfitted_estimator_is_refused(ax, cls, wrap):
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(wrap(cls("hashing")), ax=ax)


@pytest.mark.parametrize(
    "other", [LogisticRegression(), make_pipeline(LogisticRegression()), None, "estimator"]
)
def test_what_has_no_history_is_refused(ax, other):
    with pytest.raises(TypeError, match="or a Pipeline or FrozenEstimator that holds one, got"):
        TrainingHistoryDisplay.from_estimator(other, ax=ax)


def test_a_search_is_told_what_to_pass(ax):
    search = GridSearchCV(
        TransferTextClassifier("hashing", random_state=0), {"freeze": ["frozen"]}, cv=2
    ).fit(TEXTS, LABELS)
    with pytest.raises(TypeError, match="GridSearchCV: pass its best_estimator_"):
        TrainingHistoryDisplay.from_estimator(search, ax=ax)


def test_an_encoder_that_was_only_loaded_has_nothing_to_draw(ax):
    encoder = TransferTextEncoder("hashing", random_state=0).fit(TEXTS)
    with pytest.raises(ValueError, match="TransferTextEncoder was not trained"):
        TrainingHistoryDisplay.from_estimator(encoder, ax=ax)


def test_names_and_styles_reach_the_picture(ax, two_stages):
    display = TrainingHistoryDisplay.from_estimator(
        two_stages, ax=ax, name=r"$\mine$", line_kw={"lw": 3, "marker": "x"}
    )
    assert ax.get_legend().get_title().get_text() == r"$\mine$"
    assert {line.get_linewidth() for line in display.lines_.values()} == {3}
    assert {line.get_marker() for line in display.lines_.values()} == {"x"}
    display.figure_.draw_without_rendering()  # what looks like mathematics is not parsed
    display.plot(ax, name="other")
    assert ax.get_legend().get_title().get_text() == "other"


def test_the_legend_names_the_curves_of_both_axes(ax, two_stages):
    TrainingHistoryDisplay.from_estimator(two_stages, ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training loss", "validation loss", "validation score"
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(6.4, 4.8), (4, 3), (9, 3)])
def test_nothing_overlaps(size, two_stages):
    figure = pytest.importorskip("matplotlib.figure").Figure(size, layout="constrained")
    display = TrainingHistoryDisplay.from_estimator(two_stages, ax=figure.subplots())
    display.ax_.set_title("a title")
    figure.draw_without_rendering()
    (names,) = [axis for axis in display.ax_.child_axes if axis is not display.blocks_ax_]
    boxes = {
        "title": display.ax_.title,
        **{f"stage {text.get_text()}": text for text in names.get_xticklabels()},
        "strip": display.blocks_ax_.patch,
        "axes": display.ax_.patch,
        "epoch": display.ax_.xaxis.label,
        "legend": display.ax_.get_legend(),
    }
    extents = {name: artist.get_window_extent() for name, artist in boxes.items()}
    extents = {
        # A slanted name fills only the diagonal of its box.
        name: box if not name.startswith("stage") else box.from_bounds(box.x0, box.y0, 9, 9)
        for name, box in extents.items()
    }
    pairs = [(a, b) for a in extents for b in extents if a < b]
    assert not [pair for pair in pairs if extents[pair[0]].overlaps(extents[pair[1]])]
    inside = figure.bbox.padded(1)
    for name, box in extents.items():
        assert inside.containsx(box.x0), name
        assert inside.containsy(box.y0), name
        assert inside.containsy(box.y1), name


def test_without_axes_pyplot_makes_a_figure(two_stages):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    display = TrainingHistoryDisplay.from_estimator(two_stages)
    assert pyplot.figure(display.figure_.number) is display.figure_
    pyplot.close(display.figure_)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, two_stages):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = TrainingHistoryDisplay(history=two_stages.history_)
    for draw in (display.plot, lambda: TrainingHistoryDisplay.from_estimator(two_stages)):
        with pytest.raises(ImportError, match=r"pip install 'sktransfer\[plot\]'"):
            draw()


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import sktransfer.inspection as i; dir(i)", {"matplotlib", "sklearn", "torch"}),
        (
            "from sktransfer.inspection import TrainingHistoryDisplay, plot_confusion",
            {"matplotlib", "torch"},
        ),
    ],
)
def test_what_draws_is_imported_when_something_is_drawn(code, unwanted):
    code += "; import json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unwanted & set(json.loads(done.stdout))


def test_a_name_that_does_not_exist_is_an_attribute_error():
    import sktransfer.inspection

    assert not hasattr(sktransfer.inspection, "no_such")
    for name in sktransfer.inspection.__all__:
        assert getattr(sktransfer.inspection, name).__module__.startswith("sktransfer.")
