"""fit, then partial_fit: what is kept, what is new, and what an error leaves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone


def quick(**params):
    return TransferTextClassifier(
        **{"backbone": "hashing", "max_epochs": 3, "random_state": 0} | params
    )


def head_of(clf):
    return clf.net_.state.head_weights


@pytest.fixture(scope="module")
def source(movie):
    return movie[0][:400], movie[1][:400]


@pytest.fixture(scope="module")
def target(amazon):
    return amazon[0][:40], amazon[1][:40]


def test_fit_restarts_always(source, target):
    once = quick().fit(*target)
    twice = quick().fit(*source).partial_fit(*source).fit(*target)
    np.testing.assert_array_equal(once.predict_proba(target[0]), twice.predict_proba(target[0]))
    assert len(twice.stages_) == 1
    assert len(twice.history_) == 3


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_partial_fit_continues_from_the_same_weights(source, target, freeze):
    clf = quick(freeze=freeze).fit(*source)
    continued = clone(clf).fit(*source).partial_fit(*target)
    fresh = quick(freeze=freeze).fit(*target)
    assert not np.allclose(head_of(continued)["weight"], head_of(fresh)["weight"], atol=1e-3)
    assert [s["stage"] for s in continued.stages_] == ["source", "target"]
    assert [s["rows"] for s in continued.stages_] == [400, 40]
    assert continued.stages_[1]["head"] == "kept"


def test_source_knowledge_survives_few_target_rows(movie, amazon):
    """A dozen target rows adjust the solution of 3,000 source rows and do not replace it."""
    params = {"freeze": "frozen", "backbone": HashingBackbone(dim=512)}
    clf = quick(**params).fit(movie[0][:3000], movie[1][:3000])
    X_test, y_test = amazon[0][100:1100], amazon[1][100:1100]
    before = clf.score(X_test, y_test)
    few = amazon[0][:12], amazon[1][:12]
    after = clf.partial_fit(*few).score(X_test, y_test)
    alone = quick(**params).fit(*few).score(X_test, y_test)
    assert after > before - 0.03
    assert after > alone + 0.03


def test_penalty_of_a_converged_head_is_centred_on_the_earlier_solution(source, target):
    """With a penalty that outweighs the data, the earlier solution comes back unchanged."""
    from sktransfer.heads.linear import LinearHead

    clf = quick(freeze="frozen").fit(*source)
    before = head_of(clf)["weight"].clone()
    clf.set_params(head=LinearHead(C=1e-9)).partial_fit(*target)
    np.testing.assert_allclose(head_of(clf)["weight"], before, atol=1e-4)


def test_new_label_set_keeps_rows_of_shared_labels(source):
    X, y = source
    three = np.where(np.arange(400) % 3 == 0, "neutral", y)
    clf = quick(freeze="frozen").fit(X, three)
    old = head_of(clf)
    from sktransfer.heads.linear import LinearHead

    clf.set_params(head=LinearHead(C=1e-9))
    labels = np.where(y[:50] == "negative", "awful", y[:50])
    clf.partial_fit(X[:50], labels, classes=["positive", "awful", "neutral"])
    new = head_of(clf)
    assert clf.classes_.tolist() == ["awful", "neutral", "positive"]
    np.testing.assert_allclose(new["weight"][1:], old["weight"][1:], atol=1e-4)
    np.testing.assert_allclose(new["weight"][0], 0.0, atol=1e-4)
    assert clf.stages_[1]["labels_kept"] == ["neutral", "positive"]
    assert clf.stages_[1]["labels_added"] == ["awful"]
    assert clf.stages_[1]["labels_dropped"] == ["negative"]


def test_new_label_set_keeps_the_trained_body(source, target):
    clf = quick(freeze="full").fit(*source)
    body = {k: v.clone() for k, v in clf.net_.state.body.items()}
    clf.set_params(freeze="frozen").partial_fit(target[0], np.arange(40) % 4, classes=[0, 1, 2, 3])
    for name, value in clf.net_.state.body.items():
        np.testing.assert_array_equal(value, body[name])
    assert clf.predict_proba(target[0]).shape == (40, 4)


def test_body_trained_in_an_earlier_stage_is_stored_after_a_frozen_one(source, target):
    import pickle

    clf = quick(freeze="full").fit(*source).set_params(freeze="frozen").partial_fit(*target)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(target[0]), clf.predict_proba(target[0]))


def test_set_params_between_calls_takes_effect(source, target):
    clf = quick(freeze="frozen").fit(*source)
    clf.set_params(freeze="full", max_epochs=2).partial_fit(*target)
    assert clf.stages_[1]["strategy"] == "Full()"
    assert clf.n_iter_ == 2


def test_other_preprocessing_of_the_same_weights_may_continue(source, tiny_model):
    clf = TransferTextClassifier(tiny_model, freeze="frozen", random_state=0)
    clf.fit(source[0][:40], source[1][:40])
    clf.set_params(max_length=8).partial_fit(source[0][:20], source[1][:20])
    assert len(clf.stages_) == 2


def test_other_weights_may_not_continue(source, tiny_model):
    clf = quick().fit(source[0][:40], source[1][:40])
    with pytest.raises(ValueError, match="whose weights are not those of"):
        clf.set_params(backbone=tiny_model).partial_fit(source[0][:20], source[1][:20])


def test_first_partial_fit_needs_classes(target):
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        quick().partial_fit(*target)


def test_first_partial_fit_may_lack_a_class(target):
    X = [x for x, label in zip(*target, strict=True) if label == "positive"]
    for freeze in ("frozen", "full"):
        clf = quick(freeze=freeze)
        clf.partial_fit(X, ["positive"] * len(X), classes=["negative", "positive"])
        assert set(clf.predict(X)) == {"positive"}
        clf.partial_fit(*target)
        assert [stage["stage"] for stage in clf.stages_] == ["source", "target"]


def test_later_partial_fit_may_have_one_class(source):
    clf = quick().fit(*source)
    clf.partial_fit(source[0][:5], ["positive"] * 5)
    assert clf.classes_.tolist() == ["negative", "positive"]


def test_a_few_rows_of_one_label_adjust_a_converged_head_and_do_not_replace_it(source):
    clf = quick(freeze="frozen").fit(*source)
    before = clf.predict_proba(source[0])
    clf.partial_fit(source[0][:1], [source[1][0]])
    after = clf.predict_proba(source[0])
    assert 0 < np.abs(after - before).max() < 0.2


def test_partial_fit_with_unseen_label_changes_nothing(source, target):
    clf = quick().fit(*source)
    before = clf.predict_proba(target[0])
    with pytest.raises(
        ValueError, match=r"40 label\(s\) that are not among the classes .* index 0: 'x'"
    ):
        clf.partial_fit(target[0], ["x"] * 40)
    np.testing.assert_array_equal(clf.predict_proba(target[0]), before)
    assert len(clf.stages_) == 1


def test_source_starts_from_the_fitted_estimator_and_leaves_it_alone(movie, amazon):
    fitted = quick(freeze="full").fit(movie[0][:1500], movie[1][:1500])
    before = fitted.predict_proba(amazon[0][:50])
    few = amazon[0][:16], amazon[1][:16]
    test = amazon[0][100:1100], amazon[1][100:1100]
    with_source = quick(source=FrozenEstimator(fitted)).fit(*few).score(*test)
    without = quick().fit(*few).score(*test)
    assert with_source > without + 0.03
    np.testing.assert_array_equal(fitted.predict_proba(amazon[0][:50]), before)


def test_source_survives_clone_and_search(source, target):
    fitted = quick(freeze="full").fit(*source)
    clf = clone(quick(source=FrozenEstimator(fitted)))
    clf.fit(*target)
    assert clf.stages_[0]["stage"] == "target"
    assert clf.stages_[0]["labels_kept"] == ["negative", "positive"]
    search = GridSearchCV(clf, {"freeze": ["frozen", "full"]}, cv=2, error_score="raise").fit(
        *target
    )
    assert search.best_estimator_.stages_[0]["head"] == "kept"
    assert np.isfinite(cross_val_score(clf, *target, cv=2, error_score="raise")).all()


def test_source_may_be_a_saved_folder_or_the_end_of_a_pipeline(source, target, tmp_path):
    pipe = Pipeline([("same", FunctionTransformer()), ("clf", quick(freeze="full"))]).fit(*source)
    pipe["clf"].save(tmp_path / "model")
    by_path = quick(source=tmp_path / "model").fit(*target).predict_proba(target[0])
    by_object = quick(source=FrozenEstimator(pipe)).fit(*target).predict_proba(target[0])
    np.testing.assert_array_equal(by_path, by_object)


def test_bare_estimator_as_source_is_refused_with_what_to_type(source, target):
    with pytest.raises(TypeError, match=r"source=sklearn.frozen.FrozenEstimator\(fitted\)"):
        quick(source=quick().fit(*source)).fit(*target)


def test_unfitted_source_is_refused(target):
    with pytest.raises(NotFittedError):
        quick(source=FrozenEstimator(quick())).fit(*target)


def test_source_with_another_backbone_is_refused(source, target):
    fitted = quick(backbone=HashingBackbone(dim=8)).fit(*source)
    with pytest.raises(ValueError, match="whose weights are not those of"):
        quick(source=FrozenEstimator(fitted)).fit(*target)


def test_head_of_another_kind_is_replaced_and_said_so(source, target):
    fitted = quick(freeze="full").fit(*source)
    clf = quick(head="mlp", source=FrozenEstimator(fitted)).fit(*target)
    assert clf.stages_[0]["head"] == "new"


@pytest.mark.parametrize("freeze", ["full", "lp_ft", "frozen"])
def test_partial_fit_and_a_source_give_the_same_bits_with_the_same_seed(movie, freeze):
    X, y = list(movie[0][:80]), movie[1][:80]
    params = {"freeze": freeze, "max_epochs": 2, "lr": 0.01, "random_state": 3}
    source = TransferTextClassifier("hashing", **params).fit(X[:40], y[:40])
    by_source = TransferTextClassifier("hashing", source=FrozenEstimator(source), **params)
    by_source.fit(X[40:], y[40:])
    by_hand = source.partial_fit(X[40:], y[40:])
    np.testing.assert_array_equal(by_source.predict_proba(X), by_hand.predict_proba(X))
    again = TransferTextClassifier("hashing", **params).fit(X[40:], y[40:])
    assert not np.array_equal(by_hand.predict_proba(X), again.predict_proba(X))
