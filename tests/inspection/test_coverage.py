"""Accuracy against coverage, and scikit-learn's own displays with estimators of texts."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.calibration import CalibrationDisplay
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import LearningCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import SelectiveClassifier, TransferTextClassifier
from sktransfer.inspection import CoverageDisplay


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="module")
def fitted(movie):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    return clf.fit(movie[0][:100], movie[1][:100])


@pytest.fixture(scope="module")
def test_part(movie):
    return movie[0][100:200], movie[1][100:200]


def test_each_point_is_what_a_selective_classifier_with_its_threshold_reaches(
    ax, fitted, test_part
):
    display = CoverageDisplay.from_estimator(fitted, *test_part, ax=ax)
    for i in (3, 40, -1):
        clf = SelectiveClassifier(FrozenEstimator(fitted), threshold=display.thresholds[i])
        clf.fit(*test_part)
        assert clf.coverage(test_part[0]) == pytest.approx(display.coverage[i])
        assert clf.score(*test_part) == pytest.approx(display.accuracy[i])


def test_the_last_point_is_the_accuracy_on_all_inputs(ax, fitted, test_part):
    display = CoverageDisplay.from_estimator(fitted, *test_part, ax=ax)
    assert display.coverage[-1] == 1.0
    assert display.accuracy[-1] == pytest.approx(fitted.score(*test_part))
    x, y = display.line_.get_data()
    np.testing.assert_array_equal((x, y), (display.coverage, display.accuracy))
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_inputs_of_the_same_probability_are_one_point(ax):
    proba = [[0.7, 0.3], [0.3, 0.7], [0.6, 0.4]]
    display = CoverageDisplay.from_predictions([0, 0, 0], proba, classes=[0, 1], ax=ax)
    assert display.coverage.tolist() == pytest.approx([2 / 3, 1])
    assert display.accuracy.tolist() == pytest.approx([1 / 2, 2 / 3])


def test_names_are_in_the_legend(ax, fitted, test_part):
    CoverageDisplay.from_estimator(fitted, *test_part, ax=ax)
    CoverageDisplay.from_estimator(fitted, *test_part, ax=ax, name="other", color="red")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "TransferTextClassifier",
        "other",
    ]


def test_classifiers_of_scikit_learn_and_pipelines_are_drawn_too(ax, fitted, test_part):
    pipe = make_pipeline(FunctionTransformer(), FrozenEstimator(fitted)).fit(*test_part)
    display = CoverageDisplay.from_estimator(pipe, *test_part, ax=ax)
    assert display.accuracy[-1] == pytest.approx(fitted.score(*test_part))


def test_wrong_shapes_are_refused(ax):
    with pytest.raises(ValueError, match="2 columns for 3 classes"):
        CoverageDisplay.from_predictions([0], [[0.5, 0.5]], classes=[0, 1, 2], ax=ax)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CoverageDisplay.from_predictions([0, 1], [[0.5, 0.5]], classes=[0, 1], ax=ax)
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        CoverageDisplay.from_predictions([[0, 1]], [[0.5, 0.5]], classes=[0, 1], ax=ax)


def test_an_estimator_that_is_not_fitted_is_refused(ax, test_part):
    with pytest.raises(NotFittedError):
        CoverageDisplay.from_estimator(TransferTextClassifier("hashing"), *test_part, ax=ax)


# --- scikit-learn's own displays ----------------------------------------------------------------


def test_scikit_learn_draws_a_calibration_curve_of_texts(ax, fitted, test_part):
    display = CalibrationDisplay.from_estimator(fitted, *test_part, n_bins=5, ax=ax)
    assert len(display.prob_true) == len(display.prob_pred) > 1
    assert display.estimator_name == "TransferTextClassifier"


def test_scikit_learn_draws_a_learning_curve_of_texts(ax, movie):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    X, y = list(movie[0][:90]), movie[1][:90]
    display = LearningCurveDisplay.from_estimator(
        clf, X, y, train_sizes=[10, 20, 40], cv=3, shuffle=True, random_state=0, ax=ax
    )
    assert display.train_sizes.tolist() == [10, 20, 40]
    assert display.test_scores.shape == (3, 3)
    assert np.isfinite(display.test_scores).all()
