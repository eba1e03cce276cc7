"""What is read of a text that is longer than an encoder takes, token by token."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sktransfer import TransferTextClassifier, TransferTextEncoder, load
from sktransfer.backbones._long_texts import LONG_TEXTS, Cutter
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.features.encode import encode

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Each is one token of the tiny model.
WORDS = ["the", "a", "film", "movie", "good", "bad", "great", "dull", "is", "was", "not", "very"]
MAX_LENGTH = 10
ROOM = 8  # two tokens are special
MAX_WINDOWS = 64
WINDOWS = ("window_mean", "window_max")


def text_of(n, seed=0):
    return " ".join(np.random.RandomState(seed).choice(WORDS, n))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def cutter(tokenizer, long_text="truncate", stride=None, prefix=""):
    return Cutter(tokenizer, MAX_LENGTH, long_text, stride, prefix)


def tokens_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def windows_of(row):
    """Give the windows of a row without special tokens, which each of them has at its ends."""
    windows = [row.ids[i : i + MAX_LENGTH] for i in range(0, len(row), MAX_LENGTH)]
    first, last = row.ids[0], row.ids[-1]
    assert all(window[0] == first and window[-1] == last for window in windows)
    return [window[1:-1] for window in windows]


def backbone(model, long_text="truncate", **params):
    return TransformerBackbone(model, long_text=long_text, **{"max_length": MAX_LENGTH} | params)


def load_encoder(*args, **params):
    encoder = backbone(*args, **params).load(device="cpu", random_state=0)
    encoder.module.eval()
    return encoder


def features(encoder, texts):
    return encode(encoder, texts, "fp32").numpy()


# --- tokens -------------------------------------------------------------------------------------


@given(n=st.integers(0, 40), seed=st.integers(0, 99))
@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_tokens_and_those_that_are_cut_are_counted_exactly(tokenizer, long_text, n, seed):
    (row,) = cutter(tokenizer, long_text).rows([text_of(n, seed)])
    assert row.tokens == n
    assert row.cut == (0 if long_text in WINDOWS else max(0, n - ROOM))
    assert sum(map(len, windows_of(row))) == n - row.cut


@given(n=st.integers(0, 40), seed=st.integers(0, 99))
@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_a_text_that_fits_is_read_whole_and_the_same_in_every_way(tokenizer, long_text, n, seed):
    n = min(n, ROOM)
    (row,) = cutter(tokenizer, long_text).rows([text_of(n, seed)])
    assert row.ids == tokenizer(text_of(n, seed))["input_ids"]


@given(n=st.integers(9, 60))
def test_truncation_keeps_the_beginning(tokenizer, n):
    (row,) = cutter(tokenizer).rows([text_of(n)])
    assert windows_of(row) == [tokens_of(tokenizer, text_of(n))[:ROOM]]


@given(n=st.integers(22, 60))
@pytest.mark.parametrize(("room", "head", "tail"), [(8, 2, 6), (16, 4, 12), (21, 5, 16), (3, 0, 3)])
def test_head_tail_keeps_a_quarter_from_the_beginning_and_the_rest_from_the_end(
    tokenizer, n, room, head, tail
):
    (row,) = Cutter(tokenizer, room + 2, "head_tail", None, "").rows([text_of(n)])
    ids = tokens_of(tokenizer, text_of(n))
    assert row.ids[1:-1] == ids[:head] + ids[-tail:]
    assert (row.tokens, row.cut) == (n, n - room)


@given(
    n=st.integers(0, 120),
    stride=st.one_of(st.none(), st.integers(1, ROOM)),
    seed=st.integers(0, 99),
)
@example(n=ROOM, stride=None, seed=0)
@example(n=ROOM + 1, stride=1, seed=0)
@example(n=2 * ROOM, stride=None, seed=0)
@pytest.mark.parametrize("long_text", WINDOWS)
def test_windows_cover_every_token_and_begin_a_stride_apart(tokenizer, long_text, n, stride, seed):
    ids = tokens_of(tokenizer, text_of(n, seed))
    (row,) = cutter(tokenizer, long_text, stride).rows([text_of(n, seed)])
    windows = windows_of(row)
    step = stride or ROOM
    read = min(n, ROOM + step * (MAX_WINDOWS - 1))
    assert row.cut == n - read
    covered = set()
    for k, window in enumerate(windows):
        assert window == ids[k * step : k * step + ROOM][: read - k * step]
        covered |= set(range(k * step, k * step + len(window)))
    assert covered == set(range(read))
    assert all(len(window) == ROOM for window in windows[:-1])
    # No window is there for nothing: the last but one does not reach the end.
    assert len(windows) == 1 or (len(windows) - 2) * step + ROOM < read


def test_a_pathological_number_of_windows_is_cut_and_counted(tokenizer):
    for stride, read in [(None, 64 * ROOM), (2, ROOM + 2 * 63)]:
        (row,) = cutter(tokenizer, "window_mean", stride).rows([text_of(1000)])
        assert len(windows_of(row)) == MAX_WINDOWS
        assert (row.tokens, row.cut) == (1000, 1000 - read)


@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_a_prefix_stands_before_each_text_and_not_before_each_window(tokenizer, long_text):
    ids = tokens_of(tokenizer, "good " + text_of(20))
    (row,) = cutter(tokenizer, long_text, prefix="good ").rows([text_of(20)])
    first = windows_of(row)[0]
    assert first == (ids[:2] + ids[-6:] if long_text == "head_tail" else ids[:ROOM])
    if long_text in WINDOWS:
        assert [token for window in windows_of(row) for token in window] == ids


class Counting:
    """Counts the characters that a tokenizer is made to read."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.n_chars = 0

    def __call__(self, texts, *args, **kwargs):
        self.n_chars += sum(map(len, texts))
        return self._tokenizer(texts, *args, **kwargs)


@pytest.mark.parametrize("long_text", LONG_TEXTS)
@pytest.mark.parametrize("text", ["good " * 1_000_000, "x" * 5_000_000, " " * 5_000_000 + "good"])
def test_a_million_words_are_not_read_to_their_end(tokenizer, long_text, text):
    made = cutter(tokenizer, long_text)
    made._tokenizer = counting = Counting(tokenizer)
    (row,) = made.rows([text])
    n_windows = MAX_WINDOWS if long_text in WINDOWS else 1
    assert len(row) <= MAX_LENGTH * n_windows
    assert counting.n_chars <= 64 * MAX_LENGTH * n_windows + 1
    if text.startswith("good"):
        assert row.tokens == pytest.approx(1_000_000, rel=0.01)
        assert row.cut == row.tokens - ROOM * n_windows


@pytest.mark.parametrize("long_text", ["truncate", "head_tail"])
def test_both_ends_of_a_million_words_are_where_they_belong(tokenizer, long_text):
    (row,) = cutter(tokenizer, long_text).rows(["bad the " + "good " * 1_000_000 + "dull"])
    found = tokenizer.convert_ids_to_tokens(windows_of(row)[0])
    assert found[:2] == ["bad", "the"]
    assert found[-1] == ("dull" if long_text == "head_tail" else "good")


# --- features -----------------------------------------------------------------------------------

MIXED = ["", "good", *[text_of(n, seed=n) for n in (8, 9, 30, 70)], "a film", text_of(25)]


@pytest.mark.parametrize("stride", [None, 3])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_features_do_not_depend_on_the_texts_in_the_batch(tiny_model, long_text, pooling, stride):
    encoder = load_encoder(tiny_model, long_text, pooling=pooling, stride=stride)
    together = features(encoder, MIXED)
    alone = np.vstack([features(encoder, [text]) for text in MIXED])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) == len(MIXED)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_a_text_that_fits_has_the_features_of_truncation(tiny_model, long_text, normalize):
    encoder = load_encoder(tiny_model, long_text, normalize=normalize)
    plain = load_encoder(tiny_model, normalize=normalize)
    fits = [True, True, True, False, False, False, True, False]
    found, expected = features(encoder, MIXED), features(plain, MIXED)
    np.testing.assert_allclose(found[fits], expected[fits], atol=1e-5)
    if long_text != "truncate":
        assert (np.abs(found - expected).max(axis=1)[~np.array(fits)] > 1e-3).all()


@pytest.mark.parametrize("long_text", WINDOWS)
@pytest.mark.parametrize("normalize", [False, True])
def test_features_of_windows_are_averaged_by_their_tokens_or_maximised(
    tiny_model, long_text, normalize
):
    words = text_of(20).split()
    parts = [" ".join(words[i : i + ROOM]) for i in (0, 8, 16)]
    each = features(load_encoder(tiny_model, normalize=normalize), parts)
    found = features(load_encoder(tiny_model, long_text, normalize=normalize), [" ".join(words)])[0]
    weights = [ROOM + 2, ROOM + 2, 4 + 2]  # special tokens are tokens
    expected = (
        np.average(each, axis=0, weights=weights)
        if long_text == "window_mean"
        else each.max(axis=0)
    )
    if normalize:
        expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gradients_flow_through_every_window(tiny_model):
    encoder = load_encoder(tiny_model, "window_mean")
    ids = {word: encoder._tokenizer.convert_tokens_to_ids(word) for word in ("good", "bad", "dull")}
    texts = [" ".join(["the"] * 15 + ["bad"]), "good"]
    found = encoder.forward(encoder.collate(encoder.prepare(texts)))
    (found * torch.arange(32)).sum().backward()
    table = encoder.module.get_input_embeddings().weight.grad
    assert table[ids["good"]].abs().max() > 0
    assert table[ids["bad"]].abs().max() > 0
    assert table[ids["dull"]].abs().max() == 0


def test_every_way_has_a_fingerprint_of_its_own_and_shares_that_of_the_weights(tiny_model):
    ways = [{"long_text": way} for way in LONG_TEXTS]
    ways += [{"long_text": way, "stride": n} for way in WINDOWS for n in (2, 4)]
    found = [load_encoder(tiny_model, **way).fingerprint for way in ways]
    assert len(set(found)) == len(ways)
    assert len({fingerprint.weights for fingerprint in found}) == 1
    again = [load_encoder(tiny_model, **way).fingerprint for way in ways]
    assert again == found
    # No overlap is a step of the whole window, however it is said.
    told = load_encoder(tiny_model, "window_mean", stride=ROOM).fingerprint
    assert told == found[LONG_TEXTS.index("window_mean")]


# --- estimators ---------------------------------------------------------------------------------


def classifier(model, **params):
    return TransferTextClassifier(
        **{
            "backbone": model,
            "freeze": "frozen",
            "max_length": MAX_LENGTH,
            "precision": "fp32",
            "random_state": 0,
        }
        | params
    )


def endings(n, seed):
    """Texts of 30 words, of which only the last tells the label."""
    rng = np.random.RandomState(seed)
    labels = np.array(["good", "bad"])[rng.randint(2, size=n)]
    filler = ["the", "a", "film", "movie", "is", "was", "it", "and"]
    return [" ".join([*rng.choice(filler, 29), label]) for label in labels], labels


@pytest.mark.filterwarnings("ignore:.*tokens are cut off")
def test_what_stands_behind_the_longest_text_is_learned_and_predicted_by(tiny_model):
    from sktransfer.heads.linear import LinearHead

    train, test = endings(150, seed=0), endings(150, seed=1)
    scores = {
        way: classifier(tiny_model, long_text=way, head=LinearHead(C=1000.0))
        .fit(*train)
        .score(*test)
        for way in LONG_TEXTS
    }
    assert scores["truncate"] < 0.65
    assert scores["head_tail"] > 0.9
    assert scores["window_mean"] > 0.9
    assert scores["window_max"] > 0.75


@pytest.mark.parametrize("freeze", ["full", "top_layers"])
def test_the_encoder_is_tuned_on_every_window(tiny_model, freeze):
    train, test = endings(100, seed=0), endings(100, seed=1)
    params = {"freeze": freeze, "max_epochs": 10, "lr": 0.01, "long_text": "window_mean"}
    clf = classifier(tiny_model, batch_size=8, **params).fit(*train)
    assert clf.score(*test) > 0.9


@pytest.mark.parametrize("long_text", WINDOWS)
def test_a_classifier_reads_the_same_after_it_was_kept_or_handed_on(
    tiny_model, tmp_path, long_text
):
    X, y = endings(30, seed=0)
    clf = classifier(tiny_model, long_text=long_text, stride=4).fit(X, y)
    expected = clf.predict_proba(X)
    clf.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(again.predict_proba(X), expected)
    encoder = load_encoder(tiny_model, long_text, stride=4)
    np.testing.assert_array_equal(clf.encoder_.transform(X), features(encoder, X))


def test_another_way_of_reading_may_go_on_with_the_same_weights(tiny_model):
    X, y = endings(30, seed=0)
    clf = classifier(tiny_model, long_text="window_mean").fit(X, y)
    with pytest.warns(UserWarning, match="67% of the training texts' tokens are cut off"):
        clf.set_params(long_text="head_tail", max_length=12).partial_fit(X, y)
    assert [s["head"] for s in clf.stages_] == ["new", "kept"]
    assert clf.backbone_.long_text == "head_tail"


@pytest.mark.parametrize("long_text", LONG_TEXTS)
def test_the_report_says_what_was_cut(tiny_model, long_text):
    texts = [text_of(n, seed=n) for n in (1, 8, 9, 12, 5)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoder = TransferTextEncoder(tiny_model, max_length=MAX_LENGTH, long_text=long_text).fit(
            texts
        )
    none = long_text in WINDOWS
    assert encoder.truncation_report_ == {
        "texts": 5,
        "texts_cut": 0 if none else 2,
        "tokens": 35,
        "tokens_cut": 0 if none else 5,
    }
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == (not none)
    assert none or messages[0].startswith(
        "14% of the training texts' tokens are cut off, in 2 of 5"
    )
    assert none or caught[0].filename == __file__


@pytest.mark.parametrize(("n", "warns"), [(13, False), (14, True)])
def test_a_tenth_of_the_tokens_may_be_cut_without_a_warning(tiny_model, n, warns):
    """Of 50 tokens 5 are cut, or 6 of 51."""
    texts = [text_of(n), *[text_of(8)] * 4, text_of(5)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoder = TransferTextEncoder(tiny_model, max_length=MAX_LENGTH).fit(texts)
    assert encoder.truncation_report_["tokens_cut"] == n - 8
    assert bool(caught) == warns


def test_there_is_no_report_where_nothing_is_ever_cut():
    encoder = TransferTextEncoder(HashingBackbone(dim=4, n_buckets=64)).fit(["good", "bad"])
    assert not hasattr(encoder, "truncation_report_")


def test_a_text_that_is_predicted_leaves_the_report_alone(tiny_model):
    encoder = TransferTextEncoder(tiny_model, max_length=MAX_LENGTH).fit(["good", "bad"])
    before = dict(encoder.truncation_report_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform([text_of(100)])
    assert encoder.truncation_report_ == before


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [9, 10, 100])
def test_a_stride_that_would_leave_gaps_is_refused(tiny_model, stride):
    with pytest.raises(ValueError, match=f"stride has to be from 1 to 8, .* got {stride}"):
        load_encoder(tiny_model, "window_mean", stride=stride)
    with pytest.raises(ValueError, match="stride has to be from 1 to 8"):
        classifier(tiny_model, long_text="window_mean", stride=stride).fit(*endings(10, 0))


@pytest.mark.parametrize("stride", [0, -1])
def test_a_stride_that_goes_nowhere_is_refused(tiny_model, stride):
    with pytest.raises(ValueError, match="stride has to be from 1 to 8"):
        load_encoder(tiny_model, "window_mean", stride=stride)
    with pytest.raises(ValueError, match="The 'stride' parameter"):
        classifier(tiny_model, stride=stride).fit(*endings(10, 0))


def test_an_unknown_way_of_reading_is_refused_and_the_known_ones_are_named(tiny_model):
    with pytest.raises(ValueError, match=r"one of \('truncate', 'head_tail'.* got 'middle'"):
        load_encoder(tiny_model, "middle")
    with pytest.raises(ValueError, match=r"The 'long_text' parameter.*head_tail"):
        classifier(tiny_model, long_text="middle").fit(*endings(10, 0))


@pytest.mark.parametrize("params", [{"long_text": "window_mean"}, {"stride": 2}, {"max_length": 9}])
def test_a_backbone_that_reads_everything_refuses_to_cut(params):
    name = next(iter(params))
    with pytest.raises(ValueError, match=f"{name}=.* HashingBackbone has no such parameter"):
        TransferTextEncoder("hashing", **params).fit(["good", "bad"])
    TransferTextEncoder(HashingBackbone(dim=4), long_text="truncate").fit(["good", "bad"])


@pytest.mark.parametrize("long_text", LONG_TEXTS[1:])
def test_pairs_are_read_by_truncation_alone(tiny_model, long_text):
    encoder = load_encoder(tiny_model, long_text)
    with pytest.raises(ValueError, match="is for single texts; pairs are read with 'truncate'"):
        encoder.prepare([("a film", "good")])


def test_the_encoder_sees_no_more_than_its_positions(tiny_model):
    """Sixty-four positions: a window that were longer would be an error deep inside."""
    encoder = load_encoder(tiny_model, "window_mean", max_length=64)
    (row,) = encoder.prepare([text_of(500)])
    batch = encoder.collate([row])
    assert batch["input_ids"].shape[2] == 64
    with torch.no_grad():
        assert torch.isfinite(encoder.forward(batch)).all()


def test_a_text_of_a_million_words_is_told_of_in_a_prediction_too(tiny_model, movie):
    clf = classifier(tiny_model, freeze="frozen").fit(movie[0][:20], movie[1][:20])
    giant = "good " * 1_000_000
    with pytest.warns(UserWarning, match=r"1 of 2 texts .* index 1, 5,000,000 characters"):
        clf.predict(["a film", giant])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict(["a film", giant[:100_000]])
