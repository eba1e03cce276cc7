"""Random changes of pictures: what each parameter does, and that nothing else happens."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sktransfer.images.augmentation import ImageAugmentation, _Draws

pytest.importorskip("PIL")

OFF = {"flip": None, "crop": 0.0}
ALL_ON = {
    "flip": "both",
    "rotation": 30.0,
    "shear": 15.0,
    "zoom": 0.3,
    "crop": 0.4,
    "color": 0.5,
    "erasing": 1.0,
}
FLIPS = ["horizontal", "vertical", "both", None]


class Fixed:
    """A generator of the numbers it is told, in place of random ones."""

    def __init__(self, **draws):
        self.draws = {**dict.fromkeys(_Draws._fields, 0.5), **draws}

    def random(self, size):
        assert size == len(_Draws._fields)
        return np.array([self.draws[name] for name in _Draws._fields])


# The largest number that a generator gives is a little smaller than 1.
MOST = 1 - 2**-53


def picture_of(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height, width):
    rows, columns = np.mgrid[:height, :width]
    channels = [rows / height, columns / width, (rows + columns) / (height + width)]
    return (np.stack(channels, axis=2) * 255).astype(np.uint8)


augmentations = st.builds(
    ImageAugmentation,
    flip=st.sampled_from(FLIPS),
    rotation=st.sampled_from([0.0, 1.0, 90.0, 180.0]) | st.floats(0, 180),
    shear=st.sampled_from([0.0, 45.0]) | st.floats(0, 45),
    zoom=st.sampled_from([0.0, 0.5]) | st.floats(0, 0.5),
    crop=st.sampled_from([0.0, 0.99]) | st.floats(0, 0.99),
    color=st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    erasing=st.sampled_from([0.0, 0.5, 1.0]),
)
sizes = st.integers(1, 4) | st.integers(1, 60)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(augmentations, sizes, sizes, st.integers(0, 2**32))
def test_any_picture_stays_a_picture(augmentation, height, width, seed):
    picture = picture_of(height, width, seed)
    before = picture.copy()
    changed = augmentation.apply(picture, np.random.default_rng(seed))
    assert changed.dtype == np.uint8
    assert changed.shape[2:] == (3,)
    assert 1 <= changed.shape[0] <= height
    assert 1 <= changed.shape[1] <= width
    assert changed.flags.writeable
    assert changed.flags.c_contiguous
    assert not np.shares_memory(changed, picture)
    assert (picture == before).all()
    again = augmentation.apply(picture, np.random.default_rng(seed))
    assert changed.shape == again.shape
    assert (changed == again).all()


@settings(max_examples=50, deadline=None)
@given(augmentations, augmentations, sizes, sizes, st.integers(0, 2**32))
def test_every_call_takes_as_many_draws(one, other, height, width, seed):
    generators = [np.random.default_rng(seed) for _ in range(2)]
    one.apply(picture_of(height, width), generators[0])
    other.apply(picture_of(width, height), generators[1])
    assert generators[0].bit_generator.state == generators[1].bit_generator.state


def test_the_global_random_state_is_neither_read_nor_changed():
    picture, augmentation = picture_of(20, 30), ImageAugmentation(**ALL_ON)
    results = []
    for seed in (0, 1):
        np.random.seed(seed)
        before = np.random.get_state()[1].copy()
        results.append(augmentation.apply(picture, np.random.default_rng(7)))
        assert (np.random.get_state()[1] == before).all()
    assert (results[0] == results[1]).all()


def test_a_read_only_picture_is_taken_and_none_is_changed():
    picture = picture_of(20, 30)
    picture.flags.writeable = False
    for seed in range(20):
        changed = ImageAugmentation(**ALL_ON).apply(picture, np.random.default_rng(seed))
        assert changed.flags.writeable


@settings(max_examples=50, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32))
def test_with_all_off_a_picture_is_the_same_to_the_bit(height, width, seed):
    picture = picture_of(height, width, seed)
    changed = ImageAugmentation(**OFF).apply(picture, np.random.default_rng(seed))
    assert (changed == picture).all()


@pytest.mark.parametrize("name", list(ALL_ON))
def test_each_parameter_changes_something(name):
    picture = picture_of(40, 50)
    augmentation = ImageAugmentation(**{**OFF, name: ALL_ON[name]})
    changed = [augmentation.apply(picture, np.random.default_rng(seed)) for seed in range(8)]
    assert any(each.shape != picture.shape or (each != picture).any() for each in changed)


# --- flips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", FLIPS)
def test_flips_are_exact_and_their_own(flip):
    picture = picture_of(7, 10)
    augmentation = ImageAugmentation(**{**OFF, "flip": flip})
    for x, y in product((0.49, 0.51), repeat=2):
        changed = augmentation.apply(picture, Fixed(flip_horizontally=x, flip_vertically=y))
        expected = picture
        if x < 0.5 and flip in ("horizontal", "both"):
            expected = expected[:, ::-1]
        if y < 0.5 and flip in ("vertical", "both"):
            expected = expected[::-1]
        assert (changed == expected).all()


def test_half_of_the_pictures_are_flipped():
    picture, augmentation = picture_of(2, 3), ImageAugmentation(crop=0)
    rng = np.random.default_rng(0)
    flipped = [(augmentation.apply(picture, rng) != picture).any() for _ in range(1000)]
    assert 450 < sum(flipped) < 550


@pytest.mark.parametrize("flip", ["horizontal", "vertical"])
def test_a_resampled_picture_is_flipped_before_it_is_turned(flip):
    picture = smooth(40, 60)
    draws = Fixed(flip_horizontally=0, flip_vertically=0, rotation=0.9, shear=0.2)
    turning = {**OFF, "rotation": 30, "shear": 20}
    both = ImageAugmentation(**{**turning, "flip": flip}).apply(picture, draws)
    mirrored = picture[:, ::-1] if flip == "horizontal" else picture[::-1]
    turned = ImageAugmentation(**turning).apply(mirrored, draws)
    assert np.abs(both.astype(int) - turned).max() <= 1


# --- geometry ------------------------------------------------------------------------------------


def test_resampling_by_nothing_changes_nothing():
    picture = picture_of(31, 44)
    changed = ImageAugmentation(**OFF, rotation=90, shear=45, zoom=0.5).apply(picture, Fixed())
    assert (changed == picture).all()


def test_a_quarter_turn_is_one():
    picture = smooth(41, 41)
    for draw, turns in ((MOST, {1, 3}), (0.0, {1, 3})):
        changed = ImageAugmentation(**OFF, rotation=90).apply(picture, Fixed(rotation=draw))
        errors = {k: np.abs(changed.astype(int) - np.rot90(picture, k)).max() for k in range(4)}
        assert min(errors, key=errors.get) in turns
        assert min(errors.values()) <= 1


def test_half_a_turn_is_one():
    picture = smooth(30, 47)
    changed = ImageAugmentation(**OFF, rotation=180).apply(picture, Fixed(rotation=0))
    assert np.abs(changed.astype(int) - picture[::-1, ::-1]).max() <= 1


@pytest.mark.parametrize("degrees", [10, 25, 45])
@pytest.mark.parametrize("draw", [0.0, 0.25, MOST])
def test_upright_lines_lean_by_the_shear_and_level_ones_stay(degrees, draw):
    upright = np.zeros((101, 301, 3), dtype=np.uint8)
    upright[:, 149:152] = 255
    augmentation = ImageAugmentation(**OFF, shear=degrees)
    changed = augmentation.apply(upright, Fixed(shear=draw))[:, :, 0].astype(float)
    middles = changed @ np.arange(301) / changed.sum(axis=1)
    slope = np.polyfit(np.arange(101), middles, 1)[0]
    assert abs(np.degrees(np.arctan(slope))) == pytest.approx(abs(2 * draw - 1) * degrees, abs=0.2)
    level = upright.transpose(1, 0, 2)
    assert (augmentation.apply(level, Fixed(shear=draw)) == level).all()


@pytest.mark.parametrize(("draw", "factor"), [(MOST, 1.4), (0.75, 1.2), (0.25, 0.8), (0.0, 0.6)])
def test_zoom_is_the_factor_of_what_is_seen(draw, factor):
    picture = np.zeros((200, 300, 3), dtype=np.uint8)
    picture[70:130, 110:190] = 255
    changed = ImageAugmentation(**OFF, zoom=0.4).apply(picture, Fixed(zoom=draw))
    assert changed.shape == picture.shape
    # Mirror images come in where the picture is made smaller.
    middle = changed[50:150, 70:230, 0] / 255
    assert middle.sum() == pytest.approx(60 * 80 * factor**2, rel=0.02)
    assert middle.sum(axis=0).max() == pytest.approx(60 * factor, abs=1)


def test_turning_keeps_the_size_of_what_is_seen():
    picture = np.zeros((200, 200, 3), dtype=np.uint8)
    picture[90:110, 80:120] = 255
    changed = ImageAugmentation(**OFF, rotation=30).apply(picture, Fixed(rotation=MOST))
    assert changed[:, :, 0].sum() / 255 == pytest.approx(20 * 40, rel=0.02)
    rows, columns = np.nonzero(changed[:, :, 0] > 127)
    # The axis of a level bar now stands at 30 degrees, and its middle where it was.
    (xx, xy), (_, yy) = np.cov(columns, rows)
    angle = np.degrees(np.arctan2(2 * xy, xx - yy) / 2)
    assert abs(angle) == pytest.approx(30, abs=1)
    assert rows.mean() == pytest.approx(99.5, abs=0.3)
    assert columns.mean() == pytest.approx(99.5, abs=0.3)


@settings(max_examples=100, deadline=None)
@given(augmentations, sizes, sizes, st.integers(0, 2**32))
def test_nothing_black_comes_in_from_outside(augmentation, height, width, seed):
    picture = np.full((height, width, 3), 200, dtype=np.uint8)
    augmentation = clone(augmentation).set_params(color=0.0, erasing=0.0)
    changed = augmentation.apply(picture, np.random.default_rng(seed))
    assert (changed == 200).all()


# --- crops ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.floats(0, 0.99), st.integers(0, 2**32))
def test_a_crop_only_cuts_and_keeps_the_aspect(height, width, crop, seed):
    # Colours say where a pixel stood.
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:, :, 0], picture[:, :, 1] = np.mgrid[:height, :width]
    augmentation = ImageAugmentation(flip=None, crop=crop)
    changed = augmentation.apply(picture, np.random.default_rng(seed))
    new_height, new_width, _ = changed.shape
    top, left = changed[0, 0, :2]
    assert (changed == picture[top : top + new_height, left : left + new_width]).all()
    kept = 1 - np.random.default_rng(seed).random(len(_Draws._fields))[5] * crop
    assert new_height == max(1, round(height * kept))
    assert new_width == max(1, round(width * kept))
    assert new_height >= height * (1 - crop) - 0.5


def test_crops_reach_every_corner():
    picture = np.zeros((10, 20, 3), dtype=np.uint8)
    picture[:, :, 0], picture[:, :, 1] = np.mgrid[:10, :20]
    augmentation = ImageAugmentation(flip=None, crop=0.5)
    for top, left in product((0.0, MOST), repeat=2):
        changed = augmentation.apply(picture, Fixed(crop=MOST, top=top, left=left))
        assert changed.shape == (5, 10, 3)
        assert changed[0, 0].tolist() == [5 * round(top), 10 * round(left), 0]


def test_a_crop_of_a_turned_picture_is_a_part_of_it():
    picture = smooth(60, 80)
    draws = {"rotation": 0.8, "shear": 0.3, "zoom": 0.6, "flip_horizontally": 0.1}
    moving = {"flip": "both", "rotation": 40, "shear": 20, "zoom": 0.3}
    whole = ImageAugmentation(**moving, crop=0).apply(picture, Fixed(**draws))
    part = ImageAugmentation(**moving, crop=0.5).apply(
        picture, Fixed(**draws, crop=MOST, top=0.4, left=0.7)
    )
    assert part.shape == (30, 40, 3)
    top, left = int(0.4 * 31), int(0.7 * 41)
    expected = whole[top : top + 30, left : left + 40].astype(int)
    assert np.abs(part - expected).max() <= 1


# --- colours -------------------------------------------------------------------------------------


def test_colours_are_changed_as_by_pillow():
    from PIL import Image, ImageEnhance

    # Nothing so bright or dark that clipping between Pillow's three steps would show.
    picture = (90 + smooth(30, 40) // 4).astype(np.uint8)
    for draws in product((0.2, 0.5, 0.8), repeat=3):
        names = ("brightness", "contrast", "saturation")
        changed = ImageAugmentation(**OFF, color=0.3).apply(
            picture, Fixed(**dict(zip(names, draws, strict=True)))
        )
        image = Image.fromarray(picture)
        for enhance, draw in zip(
            (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), draws, strict=True
        ):
            image = enhance(image).enhance(1 + (2 * draw - 1) * 0.3)
        np.testing.assert_array_equal(changed, image)


def test_grey_stays_grey_whatever_the_saturation():
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    for draw in (0.0, 0.3, MOST):
        changed = ImageAugmentation(**OFF, color=1).apply(grey, Fixed(saturation=draw))
        assert (changed == grey).all()


def test_without_saturation_all_is_grey():
    picture = picture_of(20, 20)
    changed = ImageAugmentation(**OFF, color=1).apply(picture, Fixed(saturation=0)).astype(int)
    assert np.ptp(changed, axis=2).max() <= 1


def test_brightness_multiplies_and_contrast_keeps_the_mean():
    picture = (64 + smooth(32, 32) // 4).astype(np.uint8)
    augmentation = ImageAugmentation(**OFF, color=0.5)
    brighter = augmentation.apply(picture, Fixed(brightness=MOST))
    assert np.abs(brighter - picture * 1.5).max() < 1
    starker = augmentation.apply(picture, Fixed(contrast=MOST))
    assert starker.std() == pytest.approx(1.5 * picture.std(), rel=0.1)
    grey = [each @ np.array([0.299, 0.587, 0.114]) for each in (picture, starker)]
    assert grey[1].mean() == pytest.approx(grey[0].mean(), abs=1)


# --- erasing -------------------------------------------------------------------------------------


def erased_box(changed, value):
    rows, columns = np.nonzero((changed != value).any(axis=2))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def test_a_rectangle_of_the_papers_area_and_aspect_is_replaced_by_noise():
    picture = np.full((300, 400, 3), 77, dtype=np.uint8)
    augmentation, rng = ImageAugmentation(**OFF, erasing=1), np.random.default_rng(0)
    areas, aspects = [], []
    for _ in range(200):
        changed = augmentation.apply(picture, rng)
        top, bottom, left, right = erased_box(changed, 77)
        inside = changed[top:bottom, left:right]
        assert (inside != 77).any(axis=2).mean() > 0.99
        assert inside.mean() == pytest.approx(127.5, abs=5)
        areas.append((bottom - top) * (right - left) / (300 * 400))
        aspects.append((bottom - top) / (right - left))
    assert 0.018 < min(areas) < 0.05
    assert 0.35 < max(areas) <= 0.4
    assert 0.29 < min(aspects) < 0.5
    assert 2 < max(aspects) < 3.45


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32))
def test_never_more_than_the_largest_share_is_erased(height, width, seed):
    picture = picture_of(height, width, seed)
    changed = ImageAugmentation(**OFF, erasing=1).apply(picture, np.random.default_rng(seed))
    assert (changed != picture).any(axis=2).sum() <= 0.4 * height * width


def test_erasing_is_a_probability():
    picture, augmentation = picture_of(20, 20), ImageAugmentation(**OFF, erasing=0.25)
    rng = np.random.default_rng(0)
    erased = [(augmentation.apply(picture, rng) != picture).any() for _ in range(1000)]
    assert 200 < sum(erased) < 300


def test_erasing_leaves_the_other_changes_alone():
    picture = picture_of(60, 80)
    for seed in range(10):
        with_noise, without = (
            ImageAugmentation(**{**ALL_ON, "erasing": p}).apply(
                picture, np.random.default_rng(seed)
            )
            for p in (1.0, 0.0)
        )
        assert with_noise.shape == without.shape
        same = (with_noise == without).all(axis=2)
        assert 0.55 < same.mean() < 1


# --- a parameter object --------------------------------------------------------------------------


def test_it_is_a_parameter_object():
    augmentation = ImageAugmentation(rotation=10, flip=None)
    assert repr(augmentation) == "ImageAugmentation(flip=None, rotation=10)"
    assert clone(augmentation).get_params() == augmentation.get_params()
    with pytest.raises(TypeError):
        ImageAugmentation("horizontal")


def test_the_search_space_names_parameters_with_values_that_work():
    space = ImageAugmentation().search_space()
    assert set(space) <= set(ImageAugmentation().get_params())
    picture = picture_of(20, 30)
    for end in ("low", "high"):
        values = {name: getattr(each, end) for name, each in space.items()}
        ImageAugmentation(**values).apply(picture, np.random.default_rng(0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": "sideways"},
        {"flip": True},
        {"rotation": -1},
        {"rotation": 181},
        {"shear": 46},
        {"zoom": 0.6},
        {"crop": 1.0},
        {"color": float("nan")},
        {"erasing": 1.5},
        {"mixup": -0.1},
        {"n_views": 0},
        {"n_views": 2.0},
    ],
)
def test_wrong_parameters_are_refused_when_first_used(wrong):
    augmentation = ImageAugmentation(**wrong)
    (name,) = wrong
    with pytest.raises(ValueError, match=f"The '{name}' parameter of ImageAugmentation must be"):
        augmentation.apply(picture_of(3, 3), np.random.default_rng(0))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 3), np.uint8),
        np.zeros((3, 3, 4), np.uint8),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((3, 3, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ValueError, match=r"array of uint8 of shape \(height, width, 3\), got"):
        ImageAugmentation().apply(wrong, np.random.default_rng(0))


def test_without_pillow_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    picture, rng = picture_of(3, 3), np.random.default_rng(0)
    assert ImageAugmentation().apply(picture, rng).shape[2] == 3
    with pytest.raises(ImportError, match=r"pip install pillow.*sktransfer-vision"):
        ImageAugmentation(color=0.1).apply(picture, rng)


def test_a_strip_is_turned_within_bounds():
    import tracemalloc

    strip = np.full((20, 20_000, 3), 7, dtype=np.uint8)
    tracemalloc.start()
    found = ImageAugmentation(rotation=90, crop=0.0).apply(strip, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == strip.shape
    assert (found == 7).all()
    assert peak < 20 * strip.nbytes


SUBCLASS = """
from sktransfer import ImageAugmentation

def strength():
    return STRENGTH

class Own(ImageAugmentation):
    def apply(self, picture, rng):
        return picture + sum([strength() for _ in range(2)])

print(Own().identity())
"""


def test_a_subclass_has_the_same_identity_in_each_process_and_another_after_a_change(tmp_path):
    def identity(strength):
        script = tmp_path / "own.py"
        script.write_text(SUBCLASS.replace("STRENGTH", str(strength)))
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        return done.stdout

    assert identity(1) == identity(1)
    assert identity(1) != identity(2)
