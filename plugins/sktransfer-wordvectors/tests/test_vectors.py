"""Word vectors from the formats in which they are published, sound and damaged."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from sktransfer_wordvectors import WordVectors, read_vectors, save_vectors
from sktransfer_wordvectors.saving import save_part

WORDS = ["the", "naïve", ". . .", "好", "x"]
MATRIX = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def as_text(words, matrix, header):
    lines = [f"{len(words)} {matrix.shape[1]}"] if header else []
    lines += [
        f"{w} {' '.join(repr(float(x)) for x in row)}" for w, row in zip(words, matrix, strict=True)
    ]
    return ("\n".join(lines) + "\n").encode()


def as_binary(words, matrix, newline=b"\n"):
    rows = [
        w.encode() + b" " + row.tobytes() + newline for w, row in zip(words, matrix, strict=True)
    ]
    return f"{len(words)} {matrix.shape[1]}\n".encode() + b"".join(rows)


NO_BLANKS = ["the", "naïve", "...", "好", "x"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "words", "content"),
    [
        ("glove.txt", WORDS, as_text(WORDS, MATRIX, header=False)),
        ("crawl.vec", NO_BLANKS, as_text(NO_BLANKS, MATRIX, header=True)),
        ("news.bin", NO_BLANKS, as_binary(NO_BLANKS, MATRIX)),
        ("other.bin", NO_BLANKS, as_binary(NO_BLANKS, MATRIX, b"")),
    ],
)
def test_published_formats(tmp_path, name, words, content, packed):
    path = tmp_path / (name + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(content) if packed else content)
    vectors = read_vectors(path)
    assert list(vectors.words) == words
    np.testing.assert_array_equal(vectors.matrix, MATRIX)
    np.testing.assert_array_equal(vectors.of([words[3], words[0]]), MATRIX[[3, 0]])


def test_what_was_saved_is_backed_by_a_file(tmp_path):
    (tmp_path / "v.txt").write_bytes(as_text(WORDS, MATRIX, header=False))
    vectors = read_vectors(tmp_path / "v.txt")
    save_vectors(vectors, tmp_path / "v.npy")
    again = read_vectors(tmp_path / "v.npy")
    assert isinstance(again.matrix, np.memmap)
    assert not isinstance(again.of(["the"]), np.memmap)
    assert again.words == WORDS
    np.testing.assert_array_equal(again.matrix, MATRIX)
    assert again.fingerprint == vectors.fingerprint
    assert WordVectors(WORDS, 2 * MATRIX).fingerprint != vectors.fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["v.json", "v.npy", "v.txt"]
    (tmp_path / "plain").touch()
    assert (tmp_path / "v.npy").stat().st_mode == (tmp_path / "plain").stat().st_mode
    with pytest.raises(ValueError, match=r"end in \.npy, got 'v\.txt'"):
        save_vectors(vectors, "v.txt")


def test_a_part_stands_for_the_whole(tmp_path):
    vectors = WordVectors(WORDS, MATRIX)
    save_part(vectors, ["好", "unknown", "the"], tmp_path / "v.safetensors")
    part = read_vectors(tmp_path / "v.safetensors")
    assert part.words == ["好", "the"]
    np.testing.assert_array_equal(part.matrix, MATRIX[[3, 0]])
    assert (part.fingerprint, part.spread) == (vectors.fingerprint, vectors.spread)
    save_part(vectors, [], tmp_path / "none.safetensors")
    assert read_vectors(tmp_path / "none.safetensors").matrix.shape == (0, 3)


@pytest.mark.parametrize("kind", ["npy", "safetensors"])
@pytest.mark.parametrize("beside", ["json", "txt"])
def test_arrays_with_their_words_beside_them(tmp_path, kind, beside):
    path = tmp_path / f"v.{kind}"
    if kind == "npy":
        np.save(path, MATRIX)
    else:
        save_file({"vectors": MATRIX}, path)
    text = json.dumps(WORDS) if beside == "json" else "\n".join(WORDS)
    path.with_suffix(f".{beside}").write_text(text, encoding="utf-8")
    vectors = read_vectors(path)
    assert list(vectors.words) == WORDS
    np.testing.assert_array_equal(vectors.matrix, MATRIX)


WHOLE = as_binary(NO_BLANKS, MATRIX)
# Without the time, which would stand in the names of tests.
PACKED = gzip.compress(as_text(WORDS, MATRIX, header=False), mtime=0)
DAMAGED = PACKED[:20] + b"\xff" * 8 + PACKED[28:]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"a 1 2\nb 1\n", r"line 2: a word and 2 numbers are expected, got 1 numbers"),
        ("v.txt", b"a 1 2\nb 1 x\n", r"line 2: a word and 2 numbers are expected, got 'b 1 x'"),
        ("v.txt", b"a 1 2\nb 1 nan\n", r"line 2: numbers have to be finite"),
        ("v.txt", b"a 1 2\nb 3 4\na 5 6\n", r"line 3: the word 'a' was there before, in line 1"),
        ("v.txt", b"a\n", r"line 1: a word and 0 numbers"),
        ("v.txt", b"", r"holds no vectors"),
        ("v.vec", b"3 2\na 1 2\nb 1 2\n", r"3 words are announced, 2 are there"),
        ("v.vec", b"1 3\na 1 2\n", r"line 2: a word and 3 numbers are expected, got 2 numbers"),
        ("v.bin", b"hello\n", r"expected in the first line, got 'hello"),
        ("v.bin", WHOLE[:-5], r"the file ends within the numbers of word 5 of 5; 12 bytes"),
        ("v.bin", WHOLE[:40], r"byte 40: word 3 of 5 is expected, got the end"),
        ("v.bin", b"2 1\n" + b"x" * 2000, r"byte 1,005: word 1 of 2 is expected"),
        ("v.txt", b"a 1 2\n\nb 1 2\n", r"line 2: a word and 2 numbers are expected, got 0"),
        ("v.bin", WHOLE + b"more", r"the end is expected after 5 words, got '.*more'"),
        ("v.bin", b"1 1\na \x00\x00\xc0\x7f", r"byte 4: numbers have to be finite"),
        ("v.bin", b"1 10000000000000\n", r"expected in the first line, got '1 1000"),
        ("v.bin", b"1 100000000000000000000\n", r"expected in the first line"),
        ("v.txt.gz", DAMAGED, r"v\.txt\.gz is cut short or damaged"),
        ("v.npy", b"", r"v\.npy is cut short or damaged"),
        ("v.safetensors", b"cut", r"v\.safetensors is cut short or damaged"),
        ("v.txt.gz", PACKED[:-6], r"is cut short or damaged"),
        ("v.pkl", b"", r"are read from \*.txt"),
        ("v.npy.gz", b"", r"are read from \*.txt"),
    ],
)
def test_damage_is_named_with_its_place(tmp_path, name, content, message):
    (tmp_path / "v.json").write_text("[]")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_vectors(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "words", "message"),
    [
        (MATRIX, ["a"], "has 5 vectors, .* has 1 words"),
        (MATRIX, ["a", "b", "a", "c", "d"], "the word 'a' is there twice"),
        (MATRIX[0], ["a"], "floats of shape"),
        (np.array([[1.0], [np.inf]]), ["a", "b"], "finite, got others for 'b'"),
        (MATRIX.astype(int), WORDS, "floats of shape"),
        (np.array([["a"]], dtype=object), ["a"], "Python objects"),
    ],
)
def test_arrays_that_do_not_fit_their_words_are_refused(tmp_path, array, words, message):
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    (tmp_path / "v.json").write_text(json.dumps(words))
    with pytest.raises(ValueError, match=message):
        read_vectors(tmp_path / "v.npy")


def test_an_array_without_words_says_what_is_missing(tmp_path):
    np.save(tmp_path / "v.npy", MATRIX)
    with pytest.raises(FileNotFoundError, match=r"v\.json or .*v\.txt"):
        read_vectors(tmp_path / "v.npy")


def test_a_word_without_a_vector_is_an_error():
    vectors = WordVectors(WORDS, MATRIX)
    assert "the" in vectors
    assert "The" not in vectors
    with pytest.raises(KeyError, match="The"):
        vectors.of(["the", "The"])


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    dim=st.integers(2, 4),
    kind=st.sampled_from(["v.txt", "v.vec", "v.bin"]),
)
def test_whatever_is_written_is_read(tmp_path_factory, words, dim, kind):
    matrix = np.random.default_rng(len(words)).normal(size=(len(words), dim)).astype(np.float32)
    content = as_binary(words, matrix) if kind == "v.bin" else as_text(words, matrix, True)
    path = tmp_path_factory.mktemp("vectors") / kind
    path.write_bytes(content)
    vectors = read_vectors(path)
    assert list(vectors.words) == words
    np.testing.assert_array_equal(vectors.matrix, matrix)


def test_a_mark_of_the_encoding_and_blank_lines_at_the_end_are_no_words(tmp_path):
    (tmp_path / "v.vec").write_bytes(b"\xef\xbb\xbf2 2\ngood 1 2\nbad 3 4\n\n \n")
    vectors = read_vectors(tmp_path / "v.vec")
    assert vectors.words == ["good", "bad"]
    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]


def test_a_list_of_words_is_split_at_newlines_alone(tmp_path):
    np.save(tmp_path / "v.npy", MATRIX[:2])
    (tmp_path / "v.txt").write_bytes("a\x85b\r\nc\n".encode())
    assert read_vectors(tmp_path / "v.npy").words == ["a\x85b", "c"]


def test_an_interrupted_save_leaves_what_was_there(tmp_path, monkeypatch):
    old, new = WordVectors(WORDS, MATRIX), WordVectors(WORDS[::-1], 2 * MATRIX)
    save_vectors(old, tmp_path / "v.npy")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", fail)
        with pytest.raises(OSError, match="disk full"):
            save_vectors(new, tmp_path / "v.npy")
    assert read_vectors(tmp_path / "v.npy").fingerprint == old.fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["v.json", "v.npy"]
    save_vectors(new, tmp_path / "v.npy")
    assert read_vectors(tmp_path / "v.npy").fingerprint == new.fingerprint


def test_a_fingerprint_tells_words_and_shapes_apart():
    zeros = np.zeros((2, 1), dtype=np.float32)
    found = {
        WordVectors(words, matrix).fingerprint
        for words, matrix in [
            (["a", "b"], zeros),
            (["a\nb"], zeros.reshape(1, 2)),
            (["a", "\ud800"], zeros),
            (["a", "?"], zeros),
        ]
    }
    assert len(found) == 4
