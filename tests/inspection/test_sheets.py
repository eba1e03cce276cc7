"""Contact sheets: where pictures and captions stand, and which mistakes come first."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from sktransfer.images import sheets as module
from sktransfer.images._fonts import fitting, font_for
from sktransfer.images.image import Picture
from sktransfer.inspection import contact_sheet, mistakes_sheet

Image = pytest.importorskip("PIL.Image")

PAPER = (252, 252, 251)
MOUNT = (239, 239, 236)
RED, GREEN, BLUE = (200, 0, 0), (0, 160, 0), (0, 0, 220)
M, G = module._MARGIN, module._GAP


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def plain(colour, height=50, width=50):
    return np.full((height, width, 3), colour, dtype=np.uint8)


def place(sheet, row, column, side, top=M, below=module._ABOVE_CAPTION + module._CAPTION_LINE):
    """Cut a picture's place out of the sheet; below is the height of its caption."""
    y, x = top + row * (side + below + G), M + column * (side + G)
    return np.asarray(sheet)[y : y + side, x : x + side]


def under(sheet, row, column, side, n_lines=1, line=0):
    """Cut one line of a caption out of the sheet."""
    below = module._ABOVE_CAPTION + n_lines * module._CAPTION_LINE
    y = M + row * (side + below + G) + side + module._ABOVE_CAPTION + line * module._CAPTION_LINE
    x = M + column * (side + G)
    return np.asarray(sheet)[y : y + module._CAPTION_LINE, x : x + side + G]


def ink(area):
    """Tell how far from the left something is written; 0 where nothing is."""
    columns = np.nonzero((np.abs(area.astype(int) - PAPER).max(axis=2) > 30).any(axis=0))[0]
    return 0 if len(columns) == 0 else columns.max() + 1


def test_pictures_stand_row_by_row():
    pictures = [plain(colour) for colour in (RED, GREEN, BLUE)]
    sheet = contact_sheet(pictures, ["a", "b", "c"], n_columns=2, thumbnail=80)
    assert (place(sheet, 0, 0, 80) == RED).all()
    assert (place(sheet, 0, 1, 80) == GREEN).all()
    assert (place(sheet, 1, 0, 80) == BLUE).all()
    assert (place(sheet, 1, 1, 80) == PAPER).all()
    line = module._ABOVE_CAPTION + module._CAPTION_LINE
    assert sheet.size == (2 * M + 2 * 80 + G, 2 * M + 2 * (80 + line) + G)
    assert sheet.mode == "RGB"


@pytest.mark.parametrize("n", [1, 3, 6, 7])
def test_margins_are_alike_on_all_sides(n):
    sheet = np.asarray(contact_sheet([plain(RED)] * n, ["p"] * n, thumbnail=64))
    rows = np.nonzero((sheet != PAPER).any(axis=(1, 2)))[0]
    columns = np.nonzero((sheet != PAPER).any(axis=(0, 2)))[0]
    # A frame of one pixel stands in the margin, and letters leave room in their line.
    assert rows[0] == columns[0] == M - 1
    assert sheet.shape[1] - 1 - columns[-1] == M - 1
    assert M <= sheet.shape[0] - 1 - rows[-1] < M + module._CAPTION_LINE


@pytest.mark.parametrize(("height", "width"), [(30, 90), (90, 30), (300, 900), (1, 400), (50, 50)])
def test_pictures_keep_their_aspect_and_stand_in_the_middle(height, width):
    sheet = contact_sheet([plain(RED, height, width)], [""], thumbnail=90)
    inside = place(sheet, 0, 0, 90)
    red = (inside == RED).all(axis=2)
    assert (red | (inside == MOUNT).all(axis=2)).all()
    rows, columns = np.nonzero(red.any(axis=1))[0], np.nonzero(red.any(axis=0))[0]
    longer = max(height, width)
    assert len(rows) == max(1, round(90 * height / longer))
    assert len(columns) == max(1, round(90 * width / longer))
    assert abs(rows[0] - (89 - rows[-1])) <= 1
    assert abs(columns[0] - (89 - columns[-1])) <= 1


def test_few_pixels_are_shown_as_they_are():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    sheet = contact_sheet([picture], [""], thumbnail=80)
    assert (place(sheet, 0, 0, 80) == picture.repeat(10, axis=0).repeat(10, axis=1)).all()


def test_a_white_picture_has_a_frame():
    sheet = np.asarray(contact_sheet([plain((255, 255, 255))], [""], thumbnail=64))
    assert (sheet[M - 1, M - 1 : M + 65] == (220, 220, 216)).all()
    assert (sheet[M : M + 64, M : M + 64] == 255).all()


def test_captions_stand_below_their_pictures():
    sheet = contact_sheet([plain(RED)] * 3, ["mmmm", "", "m"], thumbnail=80)
    written = [ink(under(sheet, 0, column, 80)) for column in range(3)]
    assert written[0] > 3 * written[2] > 0
    assert written[1] == 0


def test_lines_of_a_caption_stand_below_one_another():
    sheet = contact_sheet([plain(RED)] * 2, ["m\nmm\nmmm", "m"], thumbnail=80)
    written = [ink(under(sheet, 0, 0, 80, n_lines=3, line=line)) for line in range(3)]
    assert 0 < written[0] < written[1] < written[2]
    assert [ink(under(sheet, 0, 1, 80, n_lines=3, line=line)) > 0 for line in range(3)] == [
        True,
        False,
        False,
    ]
    darkest = [under(sheet, 0, 0, 80, n_lines=3, line=line).max(axis=2).min() for line in (0, 1)]
    assert darkest[0] + 30 < darkest[1]


@pytest.mark.parametrize("caption", ["mountain lake with a boat " * 3, "m" * 500, "i" * 500])
def test_long_captions_do_not_reach_the_next_picture(caption):
    sheet = contact_sheet([plain(RED)] * 2, [caption, ""], thumbnail=100)
    assert 80 < ink(under(sheet, 0, 0, 100)) <= 101


def test_what_is_shortened_ends_with_an_ellipsis_and_is_as_long_as_fits():
    font = font_for("a")(13)
    assert fitting("short", font, 100) == "short"
    text = "a rather long line of text"
    for width in range(12, 160):
        short = fitting(text, font, width)
        assert font.getlength(short) <= width
        if short != text:
            kept = short.removesuffix("…")
            assert short == f"{kept}…"
            assert text.startswith(kept)
            assert kept == kept.rstrip()
            assert font.getlength(f"{text[: len(kept) + 2].rstrip()}…") > width


def test_a_title_stands_above_and_moves_the_pictures_down():
    pictures = [plain(RED)] * 2
    without = contact_sheet(pictures, ["a", "b"], thumbnail=100)
    sheet = contact_sheet(pictures, ["a", "b"], thumbnail=100, title="A title")
    down = sheet.height - without.height
    assert down >= 28
    below = np.asarray(sheet)[M + down - 1 :]
    assert (below == np.asarray(without)[M - 1 :]).all()
    assert ink(np.asarray(sheet)[M : M + 28]) > M
    long = contact_sheet(pictures, ["a", "b"], n_columns=2, thumbnail=100, title="A title " * 50)
    assert long.size == sheet.size
    assert ink(np.asarray(long)[M : M + 28]) <= sheet.width - M


def test_a_sheet_of_few_pictures_is_as_wide_as_its_title_up_to_all_columns():
    narrow, wide, most = (
        contact_sheet([plain(RED)], ["a"], n_columns=4, thumbnail=100, title=title)
        for title in ("Hi", "A title that is longer", "A title " * 50)
    )
    assert narrow.width == 2 * M + 100
    assert narrow.width < wide.width < most.width == 2 * M + 4 * 100 + 3 * G
    assert wide.height == most.height
    # The picture stands where it did.
    assert (np.asarray(wide)[M + 28 :, : M + 100] == np.asarray(narrow)[M + 28 :, : M + 100]).all()


def test_without_pictures_there_is_the_title():
    sheet = contact_sheet([], [], title="No mistakes in 12 pictures")
    assert sheet.height < 120
    assert 200 < ink(np.asarray(sheet)) < sheet.width - M


def test_pictures_are_decoded_one_after_the_other():
    decoded = []

    class Lazy:
        def __init__(self, i):
            self.i = i

        def __array__(self, dtype=None, copy=None):
            decoded.append(self.i)
            return plain(RED)

    contact_sheet([Lazy(i) for i in range(4)], list("abcd"))
    assert decoded == [0, 1, 2, 3]


def test_images_of_pillow_are_pictures_too():
    sheet = contact_sheet([Image.new("RGB", (30, 30), RED)], ["a"], thumbnail=60)
    assert (place(sheet, 0, 0, 60) == RED).all()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="Got 1 captions for 2 pictures"):
        contact_sheet([plain(RED)] * 2, ["a"])
    with pytest.raises(ValueError, match=r"pictures\[1\] has to be an array of uint8 .* float64"):
        contact_sheet([plain(RED), plain(RED) / 255], ["a", "b"])
    with pytest.raises(ValueError, match="n_columns=0; expected 1 at least"):
        contact_sheet([plain(RED)], ["a"], n_columns=0)
    with pytest.raises(ValueError, match="thumbnail=3; expected 32"):
        contact_sheet([plain(RED)], ["a"], thumbnail=3)


def test_without_pillow_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install pillow.*sktransfer-vision"):
        contact_sheet([plain(RED)], ["a"])


# --- fonts ---------------------------------------------------------------------------------------


def test_letters_of_other_european_languages_are_written():
    pytest.importorskip("matplotlib")
    sheets = [
        np.asarray(contact_sheet([plain(RED)], [caption])) for caption in ("ä", "ж", "ł", "Ω")
    ]
    assert not any((sheets[0] == other).all() for other in sheets[1:])


def test_characters_that_the_font_lacks_are_one_warning():
    with pytest.warns(
        UserWarning, match=r"lacks characters of the captions, such as '一'"
    ) as caught:
        contact_sheet([plain(RED)] * 2, ["一二", "三四"])
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_without_matplotlib_the_warning_says_that_it_has_more(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    contact_sheet([plain(RED)], ["plain"])
    with pytest.warns(UserWarning, match=r'pip install "sktransfer\[plot\]"'):
        contact_sheet([plain(RED)], ["ä"])


# --- mistakes ------------------------------------------------------------------------------------


class Knows:
    """A classifier whose probabilities are given."""

    def __init__(self, classes, probabilities):
        self.classes_ = np.array(classes)
        self.probabilities = np.array(probabilities)

    def predict_proba(self, X):
        self.seen = X
        return self.probabilities


@pytest.fixture
def drawn(monkeypatch):
    """What mistakes_sheet gives to contact_sheet."""
    calls = []

    def spy(pictures, captions, **others):
        calls.append({"pictures": list(pictures), "captions": list(captions), **others})
        return contact_sheet(pictures, captions, **others)

    monkeypatch.setattr(module, "contact_sheet", spy)
    return calls


@pytest.fixture
def reading(monkeypatch):
    """Let files that do not exist be red pictures; gives what is decoded."""
    decoded = []

    def red(picture, at_least=None):
        decoded.append(picture.source)
        return plain(RED) if isinstance(picture.source, str) else picture.source

    monkeypatch.setattr(Picture, "decoded", red)
    return decoded


def test_the_most_confident_mistakes_come_first(drawn, reading):
    shares = [[0.9, 0.1], [0.3, 0.7], [0.05, 0.95], [0.2, 0.8], [0.6, 0.4]]
    X = [f"folder/{i}.jpg" for i in range(5)]
    sheet = mistakes_sheet(Knows(["cat", "dog"], shares), X, ["cat", "cat", "cat", "dog", "dog"])
    (call,) = drawn
    assert call["captions"] == [
        "cat -> dog 0.95\n2.jpg",
        "cat -> dog 0.70\n1.jpg",
        "dog -> cat 0.60\n4.jpg",
    ]
    assert call["title"] == "3 mistakes in 5 pictures: truth -> prediction, its probability"
    assert reading == [X[2], X[1], X[4]]
    assert (place(sheet, 0, 0, 160, top=M + 28 + module._BELOW_TITLE) == RED).all()


def test_no_more_than_n_are_decoded(drawn, reading):
    X = [plain(RED)] * 30
    estimator = Knows(["a", "b"], [[0.5 + i / 100, 0.5 - i / 100] for i in range(1, 31)])
    mistakes_sheet(estimator, X, ["b"] * 30, n=4, n_columns=2, thumbnail=96)
    (call,) = drawn
    assert len(reading) == 4
    assert call["captions"] == [f"b -> a {share}" for share in ("0.80", "0.79", "0.78", "0.77")]
    legend = "truth -> prediction, its probability"
    assert call["title"] == f"30 mistakes in 30 pictures, the 4 most confident: {legend}"
    assert (call["n_columns"], call["thumbnail"]) == (2, 96)
    assert estimator.seen is X


def test_equally_confident_mistakes_stay_in_order(drawn, reading):
    mistakes_sheet(Knows(["a", "b"], [[1, 0]] * 4), list("wxyz"), ["b"] * 4)
    assert [caption[-1] for caption in drawn[0]["captions"]] == ["w", "x", "y", "z"]


def test_labels_are_the_same_if_they_read_the_same(drawn, reading):
    estimator = Knows([1, 2], [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])
    mistakes_sheet(estimator, ["a", "b", "c"], ["1", "2", "wolf"])
    assert drawn[0]["captions"] == ["wolf -> 1 0.90\nc"]


def test_the_probability_of_long_labels_is_not_cut_off(drawn, reading):
    estimator = Knows(["a mountain lake with a boat", "dog"], [[0.9, 0.1], [0.2, 0.8]])
    mistakes_sheet(estimator, [plain(RED)] * 2, ["dog", "a mountain lake with a boat"])
    captions = drawn[0]["captions"]
    assert captions[1] == "a mountain lake with a boat\n-> dog 0.80"
    true, predicted = captions[0].split("\n")
    assert true == "dog"
    assert predicted.startswith("-> a mountain")
    assert predicted.endswith("… 0.90")
    font = font_for(predicted)(module._CAPTION_SIZE)
    assert fitting(predicted, font, 160) == predicted


def test_files_of_pillows_images_are_named(tmp_path, drawn):
    Image.fromarray(plain(RED)).save(tmp_path / "red.png")
    with Image.open(tmp_path / "red.png") as opened:
        mistakes_sheet(Knows(["a", "b"], [[0.9, 0.1]] * 2), [opened, plain(RED)], ["b"] * 2)
    assert drawn[0]["captions"] == ["b -> a 0.90\nred.png", "b -> a 0.90"]


def test_large_files_are_decoded_no_larger_than_a_thumbnail_asks_for(tmp_path, monkeypatch):
    y, x = np.mgrid[:1500, :2000]
    waves = 128 + 100 * np.sin(x / 90)[..., None] * np.cos(y[..., None] / [110, 150, 190])
    Image.fromarray(waves.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    decode, shapes = Picture.decoded, []

    def watched(picture, at_least=None):
        pixels = decode(picture, at_least)
        shapes.append(pixels.shape[:2])
        return pixels

    monkeypatch.setattr(Picture, "decoded", watched)
    estimator = Knows(["a", "b"], [[0.9, 0.1]])
    sheet = mistakes_sheet(estimator, [tmp_path / "a.jpg"], ["b"], thumbnail=160)
    assert shapes == [(375, 500)]
    whole = mistakes_sheet(estimator, [np.asarray(Image.open(tmp_path / "a.jpg"))], ["b"])
    below = module._ABOVE_CAPTION + 2 * module._CAPTION_LINE
    top = M + module._TITLE_LINE + module._BELOW_TITLE
    fast, exact = (place(each, 0, 0, 160, top, below).astype(int) for each in (sheet, whole))
    assert np.abs(fast - exact).max() < 8


def test_a_sheet_without_mistakes_says_so(drawn):
    sheet = mistakes_sheet(Knows(["a", "b"], [[1, 0]]), [plain(RED)], ["a"])
    assert drawn[0]["title"] == "No mistakes in 1 picture"
    assert drawn[0]["captions"] == []
    assert sheet.height < 120


def test_pandas_and_four_axes_are_taken(drawn, reading):
    pandas = pytest.importorskip("pandas")
    estimator = Knows(["a", "b"], [[0.9, 0.1], [0.8, 0.2]])
    index = [7, 3]
    paths, labels = pandas.Series(["x.jpg", Path("y.jpg")], index), pandas.Series(["b", "b"], index)
    mistakes_sheet(estimator, paths, labels)
    assert drawn[0]["captions"] == ["b -> a 0.90\nx.jpg", "b -> a 0.80\ny.jpg"]
    mistakes_sheet(estimator, np.stack([plain(GREEN), plain(BLUE)]), np.array(["b", "b"]))
    shown = [np.asarray(each)[0, 0].tolist() for each in drawn[1]["pictures"]]
    assert shown == [list(GREEN), list(BLUE)]


def test_wrong_labels_are_refused_before_anything_is_predicted():
    estimator = Knows(["a", "b"], [[1, 0]])
    with pytest.raises(ValueError, match="Got 2 labels for 1 pictures"):
        mistakes_sheet(estimator, [plain(RED)], ["a", "b"])
    with pytest.raises(ValueError, match="expected one label a picture"):
        mistakes_sheet(estimator, [plain(RED)], [[1, 0]])
    with pytest.raises(ValueError, match="n=0; expected 1"):
        mistakes_sheet(estimator, [plain(RED)], ["a"], n=0)
    assert not hasattr(estimator, "seen")


def test_files_are_read_as_estimators_read_them(tmp_path):
    file = tmp_path / "green.png"
    Image.new("RGB", (40, 40), GREEN).save(file)
    sheet = mistakes_sheet(Knows(["a", "b"], [[1, 0]]), [str(file)], ["b"])
    assert (place(sheet, 0, 0, 160, top=M + 28 + module._BELOW_TITLE) == GREEN).all()
