"""The backbones are held to the contract, and what they learn is carried along."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sktransfer_wordvectors import GRU, BiLSTM, Conv1D, FastText, TextCNN

from sktransfer import TransferTextClassifier, load
from sktransfer.testing import parametrize_with_contracts

TEXTS = [
    "good",
    "a rather long sentence about nothing in particular, with words enough to differ",
    "Not good. Not at all!",
]
SMALL = {
    TextCNN: {"n_filters": 6, "dim": 8, "n_buckets": 64},
    Conv1D: {"n_filters": 6, "hidden": 5, "dim": 8, "n_buckets": 64},
    BiLSTM: {"width": 6, "dim": 8, "n_buckets": 64},
    GRU: {"width": 6, "dim": 8, "n_buckets": 64},
    FastText: {"dim": 8, "n_buckets": 64},
}
ALL = pytest.mark.parametrize("cls", list(SMALL), ids=lambda cls: cls.__name__)


@parametrize_with_contracts(
    [*SMALL, *(cls(**params).learned_from(TEXTS) for cls, params in SMALL.items())]
)
def test_contract(plugin, check):
    check(plugin)


@pytest.fixture
def vectors(tmp_path):
    """Vectors of which each word's sentiment is the first number."""
    words = {"good": 2, "fine": 2, "great": 2, "lovely": 2, "bad": -2, "poor": -2, "awful": -2}
    rng = np.random.default_rng(0)
    lines = [
        " ".join([word, str(sign), *(f"{x:.3f}" for x in rng.normal(size=7) / 4)])
        for word, sign in words.items()
    ]
    (tmp_path / "v.txt").write_text("\n".join(lines))
    return tmp_path / "v.txt"


X = ["a good thing", "a bad thing", "quite good", "quite bad"] * 6
Y = ["+", "-"] * 12


def quick(cls, **params):
    backbone = cls(**SMALL[cls], **params.pop("words", {}))
    settings = {"max_epochs": 15, "random_state": 0, "device": "cpu", "lr": 0.02, **params}
    return TransferTextClassifier(backbone, **settings)


@ALL
def test_a_classifier_learns_words(cls):
    clf = quick(cls, freeze="full").fit(X, Y)
    assert clf.score(X, Y) == 1.0
    assert set(clf.backbone_.vocabulary) == {"a", "good", "bad", "thing", "quite"}
    assert clf.backbone.vocabulary == ()
    assert clone(clf).backbone.vocabulary == ()


@ALL
def test_words_that_were_never_trained_are_known_by_their_vectors(cls, vectors):
    clf = quick(cls, words={"vectors": vectors}, freeze="frozen").fit(X, Y)
    # Not of the vocabulary yet: known by their n-grams alone.
    assert "great" not in clf.backbone_.vocabulary
    clf.partial_fit(["great stuff", "awful stuff"] * 4, ["+", "-"] * 4)
    words = clf.backbone_.vocabulary
    assert words[:5] == quick(cls, words={"vectors": vectors}).fit(X, Y).backbone_.vocabulary
    assert {"great", "awful", "stuff"} <= set(words)
    weights = clf.net_.module_.encoder.module["embeddings"].weight.detach()
    known = dict(zip(words, weights[-len(words) :].numpy(), strict=True))
    assert known["great"][0] == 2
    assert known["awful"][0] == -2


@ALL
def test_what_was_trained_of_a_word_stays_with_it(cls):
    clf = quick(cls, freeze="full").fit(X, Y)
    before = clf.net_.state.body["embeddings.weight"]
    words = clf.backbone_.vocabulary
    clf.set_params(freeze="frozen")
    clf.partial_fit(
        ["new words here", "other things there"] * 4, ["x", "y"] * 4, classes=["x", "y"]
    )
    after = clf.net_.state.body["embeddings.weight"]
    assert clf.backbone_.vocabulary[: len(words)] == words
    assert len(after) > len(before)
    assert torch.equal(after[: len(before)], before)


@ALL
def test_a_source_brings_its_words(cls):
    source = quick(cls, freeze="full").fit(X, Y)
    target = quick(cls, freeze="lp_ft", source=FrozenEstimator(source))
    for _ in range(2):
        target = clone(target).fit(["a fine thing", "a poor thing"] * 6, ["+", "-"] * 6)
        words = target.backbone_.vocabulary
        assert words[: len(source.backbone_.vocabulary)] == source.backbone_.vocabulary
        assert "fine" in words
        assert target.stages_[0]["labels_kept"] == ["+", "-"]


@ALL
@pytest.mark.parametrize("freeze", ["full", "frozen"])
def test_a_model_is_saved_with_its_words(cls, freeze, tmp_path, vectors):
    clf = quick(cls, words={"vectors": vectors}, freeze=freeze).fit(X, Y)
    expected = clf.predict_proba([*X, "never seen before"])
    clf.save(tmp_path / "model")
    clf.save(tmp_path / "whole", embed_backbone=True)
    again = load(tmp_path / "model"), pickle.loads(pickle.dumps(clf))
    for other in again:
        np.testing.assert_array_equal(other.predict_proba([*X, "never seen before"]), expected)
    # What holds its vectors needs the file no more, and holds those of its words alone.
    vectors.unlink()
    for again in [load(tmp_path / "whole")]:
        np.testing.assert_array_equal(again.predict_proba([*X, "never seen before"]), expected)
        assert tuple(again.backbone_.vocabulary) == clf.backbone_.vocabulary


def test_rows_of_zero_weight_bring_no_words():
    clf = quick(TextCNN, freeze="full", max_epochs=1)
    clf.fit([*X, "secret"], [*Y, "+"], sample_weight=[1.0] * 24 + [0.0])
    assert "secret" not in clf.backbone_.vocabulary


def test_a_missing_file_of_vectors_is_named_before_training(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
        quick(TextCNN, words={"vectors": tmp_path / "gone.txt"}).fit(X, Y)


@pytest.mark.parametrize(
    "params",
    [
        {"dim": 0},
        {"n_buckets": 0},
        {"max_length": 0},
        {"word_dropout": 1.0},
        {"tokenizer": "word"},
        {"dropout": -0.1},
        {"widths": 3},
        {"widths": []},
        {"widths": [2, 0]},
        {"widths": [2.0]},
        {"vocabulary": ("a", "a")},
    ],
    ids=str,
)
def test_a_parameter_that_is_out_of_range_is_named(params):
    backbone = TextCNN(**params)
    for call in (
        lambda: backbone.learned_from(TEXTS),
        lambda: backbone.load(device="cpu", random_state=0),
    ):
        with pytest.raises(ValueError, match=next(iter(params))):
            call()


def features(backbone, texts, training=False, seed=0):
    encoder = backbone.load(device="cpu", random_state=0)
    encoder.module.train(training)
    torch.manual_seed(seed)
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(texts))).numpy()


def test_word_dropout_leaves_words_out_in_training_alone():
    texts = ["good"] * 400
    backbone = FastText(dim=4, word_dropout=0.25).learned_from(texts)
    kept = features(backbone, texts)
    assert (kept == kept[0]).all()
    trained = features(backbone, texts, training=True)
    left_out = (trained == 0).all(axis=1)
    assert 0.15 < left_out.mean() < 0.35
    np.testing.assert_allclose(trained[~left_out], kept[~left_out] / 0.75, rtol=1e-6)


def test_pairs_of_words_tell_orders_apart():
    texts = ["not good but bad", "not bad but good"]
    one, two = (FastText(dim=8, word_ngrams=n).learned_from(texts) for n in (1, 2))
    np.testing.assert_allclose(*features(one, texts), atol=1e-6)
    assert abs(np.subtract(*features(two, texts))).max() > 1e-3


def test_the_second_channel_keeps_the_vectors_as_they_were(vectors):
    settings = {"vectors": vectors, "multichannel": True}
    clf = quick(TextCNN, words=settings, freeze="full").fit(X, Y)
    encoder = clf.net_.module_.encoder
    table = encoder.module["embeddings"].weight
    seed = clf.net_.state.backbone_seed
    fresh = clf.backbone_.load(device="cpu", random_state=seed).module["embeddings"].weight
    assert not torch.equal(table, fresh)
    torch.testing.assert_close(encoder._fixed, fresh.detach())
    assert clf.score(X, Y) == 1.0


def test_an_unknown_word_is_the_mean_of_its_ngrams():
    backbone = FastText(dim=4).learned_from(["known"])
    encoder = backbone.load(device="cpu", random_state=0)
    (row,) = encoder.prepare(["unseen"])
    weight = encoder.module["embeddings"].weight.detach()
    ((_, ngrams),) = row.unknown
    expected = weight[list(ngrams)].mean(dim=0)
    both = features(backbone, ["unseen", "known unseen known", "known"])
    np.testing.assert_allclose(both[0], expected, rtol=1e-5)
    np.testing.assert_allclose(both[1], (2 * weight[-1] + expected) / 3, rtol=1e-5)


def test_words_that_are_not_read_are_counted():
    backbone = TextCNN(dim=4, n_filters=2, max_length=3)
    clf = TransferTextClassifier(backbone, freeze="frozen", random_state=0)
    with pytest.warns(UserWarning, match=r"38% .* cut off, in 4 of 8 texts: a larger max_length"):
        clf.fit(["one two three four five six", "one two"] * 4, ["a", "b"] * 4)
    assert clf.set_params(max_length=6).fit(X, Y).truncation_report_["tokens_cut"] == 0


@pytest.mark.parametrize(
    "params",
    [
        {"n_filters": np.int64(4)},
        {"dim": np.int32(8)},
        {"multichannel": np.bool_(True)},
        {"tokenizer": np.str_("words")},
        {"widths": [3, 4, 5]},
        {"dropout": np.float32(0.25)},
    ],
    ids=str,
)
def test_numbers_of_numpy_are_numbers(params, tmp_path):
    """As searches hand them over."""
    backbone = TextCNN(**{**SMALL[TextCNN], **params})
    clf = TransferTextClassifier(backbone, max_epochs=1, random_state=0).fit(X, Y)
    clf.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), clf.predict_proba(X))


def test_what_has_a_part_of_the_vectors_is_told_from_what_has_all(tmp_path, vectors):
    clf = quick(FastText, words={"vectors": vectors}, freeze="frozen").fit(X, Y)
    clf.save(tmp_path / "all")
    clf.save(tmp_path / "part", embed_backbone=True)
    all_, part = (load(tmp_path / name).set_params(cache="memory") for name in ("all", "part"))
    assert all_.net_.state.fingerprint == part.net_.state.fingerprint
    for each in (all_, part):
        each.partial_fit(["great stuff", "awful stuff"] * 4, ["+", "-"] * 4)
    # One has read the new words' vectors, the other has drawn them.
    assert all_.net_.state.fingerprint != part.net_.state.fingerprint
    found = part.predict_proba(["great", "awful"])
    np.testing.assert_array_equal(
        found, part.set_params(cache=None).predict_proba(["great", "awful"])
    )


def test_a_clone_of_what_holds_its_vectors_knows_no_words(tmp_path, vectors):
    quick(TextCNN, words={"vectors": vectors}).fit(X, Y).save(tmp_path / "m", embed_backbone=True)
    again = load(tmp_path / "m")
    assert again.backbone_.vocabulary
    fresh = clone(again)
    assert tuple(fresh.backbone.vocabulary) == ()
    vectors.unlink()
    assert set(fresh.fit(X[:2], Y[:2]).backbone_.vocabulary) == {"a", "good", "bad", "thing"}


def test_vectors_that_hardly_any_word_has_are_warned_of(vectors):
    clf = quick(TextCNN, words={"vectors": vectors}, max_epochs=1)
    with pytest.warns(UserWarning, match=r"0% of the words .* frequent words are \['un'"):
        clf.fit(["un film", "un jour"] * 4, Y[:8])


def test_words_beside_an_array_may_change(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(2, dtype=np.float32))
    tables = []
    for words in ('["good", "bad"]', '["bad", "good" ]'):
        (tmp_path / "v.json").write_text(words)
        backbone = FastText(vectors=tmp_path / "v.npy").learned_from(["good bad"])
        encoder = backbone.load(device="cpu", random_state=0)
        row = backbone.vocabulary.index("good") - 2
        tables.append(encoder.module["embeddings"].weight[row].tolist())
    assert tables == [[1.0, 0.0], [0.0, 1.0]]


def test_what_cannot_be_exported_says_why(tmp_path):
    clf = quick(GRU, freeze="full", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"cannot be exported to ONNX: [^\x1b]{20,}"):
        clf.export_onnx(tmp_path / "m.onnx")


CHINESE = ["这家酒店很好", "房间太小了", "服务很好", "太吵了"] * 3
ENGLISH = ["a very good hotel", "the room is small", "good service", "too loud"] * 3


def test_chinese_is_read_by_characters_and_a_warning_says_so():
    clf = TransferTextClassifier("textcnn", max_epochs=1, random_state=0)
    with pytest.warns(UserWarning, match="tokenizer='characters'"):
        clf.fit(CHINESE, [1, 0, 1, 0] * 3)
    assert clf.backbone_.tokenizer == "characters"
    assert "很" in clf.backbone_.vocabulary


def test_english_is_read_by_words_without_a_warning():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*tokenizer=")
        clf = TransferTextClassifier("textcnn", max_epochs=1).fit(ENGLISH, [1, 0, 1, 0] * 3)
    assert clf.backbone_.tokenizer == "words"


def test_a_training_that_goes_on_keeps_the_tokenizer(tmp_path):
    clf = TransferTextClassifier("textcnn", max_epochs=1, random_state=0)
    clf.fit(ENGLISH, [1, 0, 1, 0] * 3).partial_fit(CHINESE, [1, 0, 1, 0] * 3)
    assert clf.backbone_.tokenizer == "words"
    clf.save(tmp_path / "m")
    assert load(tmp_path / "m").backbone_.tokenizer == "words"


def test_a_tokenizer_that_was_asked_for_stays():
    from sktransfer_wordvectors.convolutional import TextCNN

    clf = TransferTextClassifier(TextCNN(tokenizer="words"), max_epochs=1)
    assert clf.fit(CHINESE, [1, 0, 1, 0] * 3).backbone_.tokenizer == "words"
