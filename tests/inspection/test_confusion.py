import io
import sys
from itertools import pairwise

import numpy as np
import pytest

from sktransfer.inspection import plot_confusion
from sktransfer.inspection.confusion import write_confusion

TRUE = ["cat", "cat", "cat", "cat", "dog", "owl"]
PREDICTED = ["cat", "cat", "cat", "dog", "dog", "dog"]


@pytest.fixture
def ax():
    return pytest.importorskip("matplotlib.figure").Figure(layout="constrained").subplots()


def texts(array):
    return [[each.get_text() for each in row] for row in array]


def test_numbers_are_counts_and_colours_are_shares_of_the_row(ax):
    display = plot_confusion(TRUE, PREDICTED, ax=ax)
    assert texts(display.text_) == [["3", "1", "0"], ["0", "1", "0"], ["0", "1", "0"]]
    assert display.confusion_matrix.tolist() == [[3, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert display.im_.get_array().tolist() == [[0.75, 0.25, 0], [0, 1, 0], [0, 1, 0]]
    assert display.ax_ is ax


def test_a_colour_means_the_same_share_in_every_picture(ax):
    display = plot_confusion(["a", "a", "b", "b"], ["a", "b", "a", "b"], ax=ax)
    assert display.im_.get_array().tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert display.im_.get_clim() == (0, 1)


def test_rows_are_true_and_columns_are_predicted(ax):
    plot_confusion(TRUE, PREDICTED, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted label", "True label")
    names = ["cat", "dog", "owl"]
    assert [text.get_text() for text in ax.get_xticklabels()] == names
    assert [text.get_text() for text in ax.get_yticklabels()] == names


def test_labels_are_in_the_order_that_is_asked_for(ax):
    display = plot_confusion(TRUE, PREDICTED, labels=["owl", "dog", "cat"], ax=ax)
    assert display.confusion_matrix.tolist() == [[0, 1, 0], [0, 1, 0], [0, 1, 3]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["owl", "dog", "cat"]


def test_a_label_that_never_is_the_true_one_has_an_empty_row(ax):
    display = plot_confusion(["a", "a"], ["a", "b"], ax=ax)
    assert display.im_.get_array().tolist() == [[0.5, 0.5], [0, 0]]


def test_numbers_stand_out_from_the_colour_behind_them(ax):
    from matplotlib.colors import to_rgb

    rng = np.random.default_rng(0)
    true = rng.integers(0, 8, 400)
    display = plot_confusion(true, true * (rng.random(400) < true / 8), ax=ax)
    brightness = [0.299, 0.587, 0.114]
    for index, text in np.ndenumerate(display.text_):
        if display.confusion_matrix[index]:
            behind = display.im_.cmap(display.im_.get_array()[index])[:3] @ np.array(brightness)
            assert abs(behind - np.dot(to_rgb(text.get_color()), brightness)) > 0.35


def test_short_names_are_level_and_long_ones_slanted(ax):
    def rotation(names):
        display = plot_confusion(names, names, ax=ax)
        return {text.get_rotation() for text in display.ax_.get_xticklabels()}

    assert rotation(["bad", "good"]) == {0}
    assert rotation([f"a rather long name {i}" for i in range(12)]) == {45}


def test_names_are_drawn_as_they_are(ax):
    names = [r"$\no$", r"maths$", "two\nlines", "x" * 200]
    display = plot_confusion(names, names, labels=names, ax=ax)
    display.figure_.draw_without_rendering()
    drawn = [text.get_text() for text in ax.get_yticklabels()]
    assert drawn[:3] == [r"$\no$", r"maths$", "two lines"]
    assert drawn[3].endswith("x…")
    assert len(drawn[3]) <= 40


@pytest.mark.parametrize("n", [2, 3, 10, 30])
@pytest.mark.parametrize("long", [False, True])
def test_nothing_overlaps_or_is_cut(monkeypatch, n, long):
    """Held against the figure that is written."""
    matplotlib = pytest.importorskip("matplotlib.figure")
    figures = []

    class Spy(matplotlib.Figure):
        def savefig(self, *args, **kwargs):
            super().savefig(*args, **kwargs)
            figures.append(self)

    monkeypatch.setattr(matplotlib, "Figure", Spy)
    names = [f"{'a name that is long ' if long else 'L'}{i:02}" for i in range(n)]
    true = np.repeat(names, 1500)
    write_confusion(true, true, io.BytesIO())
    (figure,) = figures
    ax = figure.axes[0]
    cell = ax.get_window_extent().width / n
    for text in ax.texts:
        assert text.get_window_extent().width < cell
        assert text.get_fontsize() >= 5
    for labels in (ax.get_yticklabels(), [] if long else ax.get_xticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    # Slanted, the lines of two names are as far apart as the diagonal of a cell is half long.
    heights = {label.get_fontsize() for label in ax.get_xticklabels()}
    assert not long or max(heights) / 72 * figure.dpi < cell / 2**0.5


def test_many_labels_are_drawn_without_numbers(ax):
    assert plot_confusion(range(30), range(30), ax=ax).text_ is not None
    assert plot_confusion(range(60), range(60), ax=ax).text_ is None


def test_many_labels_do_not_make_a_picture_without_end():
    image = pytest.importorskip("matplotlib.image")
    names = [f"label {i}" for i in range(150)]
    file = io.BytesIO()
    write_confusion(names, names, file)
    file.seek(0)
    height, width = image.imread(file).shape[:2]
    assert height < 4000
    assert width < 4000


def test_a_picture_in_a_file_leaves_pyplot_alone():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    backend, before = pyplot.rcParams._get("backend"), pyplot.get_fignums()
    file = io.BytesIO()
    write_confusion(TRUE, PREDICTED, file)
    assert file.getvalue().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == before
    assert pyplot.rcParams._get("backend") is backend


def test_characters_that_the_font_lacks_are_one_warning():
    pytest.importorskip("matplotlib")
    with pytest.warns(UserWarning, match="lacks characters of the labels") as caught:
        write_confusion(["一二", "三四"], ["一二", "三四"], io.BytesIO())
    assert len(caught) == 1


def test_without_axes_pyplot_makes_a_figure_that_suits_the_labels():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    few = plot_confusion(TRUE, PREDICTED).figure_
    many = plot_confusion(list(range(30)), list(range(30))).figure_
    assert many.get_figwidth() > 2 * few.get_figwidth()
    pyplot.close(few)
    pyplot.close(many)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (plot_confusion, lambda *y: write_confusion(*y, io.BytesIO())):
        with pytest.raises(ImportError, match=r"pip install 'sktransfer\[plot\]'"):
            draw(TRUE, PREDICTED)
