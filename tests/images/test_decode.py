"""Files, bytes, Pillow's images and arrays to red, green and blue."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from sktransfer.images.decode import from_array, from_file, from_image


def photo(height=40, width=60, seed=0):
    """Give colours that change slowly, as JPEG expects them."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def written(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF", "JPEG", "JPEG2000"])
def test_formats_are_read_as_what_was_written(kind, tmp_path):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    data = written(Image.fromarray(photo()), kind, **options.get(kind, {}))
    tolerance = {"JPEG": 6, "GIF": 60}.get(kind, 0)
    path = tmp_path / "photo"
    path.write_bytes(data)
    for found in (from_file(data), from_file(path), from_file(str(path))):
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - photo()).max() <= tolerance


def test_heif_is_decoded_where_an_opener_is_registered(heif, tmp_path, monkeypatch):
    (tmp_path / "photo.heic").write_bytes(heif)
    for file in (heif, tmp_path / "photo.heic"):
        np.testing.assert_array_equal(from_file(file), [[[9, 8, 7], [200, 100, 50]]])
    with pytest.raises(ValueError, match=r"\(JPEG, .*, HEIF\)"):
        from_file(bytes(64))
    with pytest.raises(ValueError, match="begins like HEIF, but is damaged or cut off"):
        from_file(heif[:-1])
    monkeypatch.delitem(Image.OPEN, "HEIF")
    with pytest.raises(ValueError, match=r"HEIF .*, a format that is not read"):
        from_file(heif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_exif_is_put_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(photo())
    stored = image
    # What a camera stores so that it is upright once turned as the tag says.
    back = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    for step in back.get(orientation, []):
        stored = stored.transpose(step)
    np.testing.assert_array_equal(from_file(written(stored, "PNG", exif=exif)), photo())
    np.testing.assert_array_equal(
        from_image(Image.open(io.BytesIO(written(stored, "PNG", exif=exif)))), photo()
    )


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_cannot_be_read_changes_nothing():
    data = written(Image.fromarray(photo()), "PNG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    np.testing.assert_array_equal(from_file(data), photo())


def test_what_is_transparent_is_put_on_white():
    red = np.zeros((2, 3, 4), dtype=np.uint8)
    red[..., 0], red[0, :, 3], red[1, 0, 3] = 200, 255, 128
    found = from_file(written(Image.fromarray(red), "PNG"))
    np.testing.assert_array_equal(found[0], [[200, 0, 0]] * 3)
    np.testing.assert_allclose(found[1, 0], [227, 127, 127], atol=1)
    np.testing.assert_array_equal(found[1, 1:], [[255, 255, 255]] * 2)
    np.testing.assert_array_equal(from_array(red), found)


def test_a_palette_with_a_transparent_entry_is_put_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    found = from_file(written(image, "PNG", transparency=1))
    np.testing.assert_array_equal(found, [[[10, 20, 30], [255, 255, 255]]])


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBa"])
def test_other_modes_become_colours(mode):
    found = from_image(Image.fromarray(photo()).convert(mode))
    assert found.shape == (40, 60, 3)
    assert found.dtype == np.uint8
    assert found.std() > 10


def test_sixteen_bits_are_scaled_and_not_cut_off():
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    wanted = [0, 0, 1, 128, 255]
    for found in (
        from_file(written(Image.fromarray(values), "PNG")),
        from_file(written(Image.fromarray(values), "TIFF")),
        from_array(values),
        from_image(Image.fromarray(values.astype(np.int32))),
    ):
        assert found[0, :, 0].tolist() == wanted
        assert (found == found[:, :, :1]).all()


@pytest.mark.parametrize(("bits", "factor"), [(8, 256), (11, 16), (12, 16), (14, 4)])
def test_numbers_of_fewer_bits_than_sixteen_are_warned_of_with_the_factor_that_helps(bits, factor):
    values = np.array([[0, 2**bits - 1]], dtype=np.uint16)
    for read in (
        lambda: from_file(written(Image.fromarray(values), "PNG")),
        lambda: from_array(values),
    ):
        with pytest.warns(UserWarning, match=rf"\* {factor}\."):
            read()
    assert from_array(values * np.uint16(factor))[0, 1, 0] >= 127


def test_black_images_of_sixteen_bits_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_array(np.zeros((2, 2), dtype=np.uint16))


def test_a_grey_of_sixteen_bits_that_is_transparent_is_put_on_white():
    values = np.array([[0, 1000, 1001, 1023, 65535]], dtype=np.uint16)
    found = from_file(written(Image.fromarray(values), "PNG", transparency=1000))
    assert found[0, :, 0].tolist() == [0, 255, 3, 3, 255]


def test_of_several_frames_the_first_is_read():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    data = written(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(from_file(data)[0, 0], [255, 0, 0])


def test_a_large_jpeg_is_decoded_at_a_fraction_that_is_still_large_enough():
    large = photo(800, 1200)
    data = written(Image.fromarray(large), "JPEG", quality=95)
    assert from_file(data).shape == (800, 1200, 3)
    assert from_file(data, at_least=400).shape == (800, 1200, 3)
    small = from_file(data, at_least=100)
    assert small.shape == (200, 300, 3)
    wanted = np.asarray(Image.fromarray(large).reduce(4)).astype(int)
    assert np.abs(small - wanted).mean() < 1.5
    assert from_file(data, at_least=1).shape[0] == 100  # an eighth is the least


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no image at all", "JPEG, .*'no image at all'$"),
        ("é".encode() * 300, "'é{20}'$"),
        (b"", "empty"),
        (b"\n <!DOCTYPE HTML>\n<p>404", "<!DOCTYPE HTML>"),
        (b"<html>\xc3", "'<html>"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "'%!PS-Adobe"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "<svg"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"HEIF.*to JPEG.*register_heif_opener\(\)$"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", r"HEIF.*to JPEG.*register_heif_opener\(\)$"),
        (bytes(range(256)), r"\(JPEG, .*JPEG2000\)"),
        (bytes(64), r"\(JPEG, .*JPEG2000\)"),
    ],
)
def test_what_is_no_image_is_refused_by_what_it_is(data, reason):
    with pytest.raises(ValueError, match=reason):
        from_file(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000"])
def test_files_that_are_cut_off_anywhere_are_said_to_be(kind):
    data = written(Image.fromarray(photo()), kind)
    for share in (0.05, 0.3, 0.6, 0.9):
        with pytest.raises(ValueError, match=f"^it begins like {kind}, but is damaged or cut off"):
            from_file(data[: int(share * len(data))])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
@pytest.mark.parametrize("times", [1.5, 4])
def test_files_of_too_many_pixels_are_refused_in_one_way(kind, times, monkeypatch):
    data = written(Image.new("RGB", (100, 100)), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / times))
    with pytest.raises(ValueError, match="MAX_IMAGE_PIXELS"):
        from_file(data)


def test_a_small_file_of_too_many_pixels_is_refused_before_it_is_decoded():
    bomb = written(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match=r"400000000 pixels.*MAX_IMAGE_PIXELS"):
        from_file(bomb)


def test_the_limit_of_pixels_is_pillows(monkeypatch):
    data = written(Image.new("L", (100, 100)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)
    with pytest.raises(ValueError, match="100 x 100"):
        from_file(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert from_file(data).shape == (100, 100, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 20, 30)), r"moveaxis"),
        (np.zeros((20, 30, 5)), r"shape \(20, 30, 5\)"),
        (np.zeros((0, 5)), r"shape \(0, 5, 1\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.full((4, 4), 255.0), "from 255 to 255.*from 0 to 1"),
        (np.full((4, 4), np.nan), "from nan"),
        (np.full((4, 4), -0.1), "from -0.1.*before a normalisation, which is a part of the net"),
        (np.array([[-2.1, np.inf]]), "from -2.1 to inf.*before a normalisation"),
        (np.array([[0, np.inf]]), "from 0 to inf.*from 0 to 1"),
        (np.zeros((4, 4), dtype=np.int64), "astype"),
        (np.zeros((4, 4), dtype=complex), "complex"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused_with_what_to_do(array, message):
    with pytest.raises(ValueError, match=message):
        from_array(array)


def test_arrays_of_all_kinds_show_the_same():
    grey = photo()[:, :, 0]
    wanted = np.repeat(grey[:, :, None], 3, axis=2)
    for array in (grey, grey[:, :, None], wanted, grey / 255, (grey / 255).astype(np.float32)):
        np.testing.assert_array_equal(from_array(array), wanted)
    assert from_array(np.eye(3, dtype=bool))[1, 1].tolist() == [255, 255, 255]


def exif_of(*entries):
    """Write EXIF data by hand, as sloppy as cameras and editors do."""
    import struct

    body = b"".join(struct.pack("<HHL4s", tag, kind, n, value) for tag, kind, n, value in entries)
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    "sloppy",
    [
        (0x10F, 11, 1, b"\0\0\x80?"),  # the camera's name as a number
        (0x11A, 7, 1, b"\0\0\0\0"),  # a resolution of no known type
        (0x11A, 2, 2, b"a\0\0\0"),
        (0x8769, 4, 1, b"\xff\xff\xff\xff"),  # more of it behind the end of the file
    ],
)
def test_a_picture_is_put_upright_whatever_else_its_exif_says(sloppy):
    exif = exif_of(sloppy, (0x112, 3, 1, b"\6\0\0\0"))
    lying = Image.fromarray(photo()).transpose(Image.Transpose.ROTATE_90)
    found = from_file(written(lying, "JPEG", exif=exif, quality=98, subsampling=0))
    assert found.shape == photo().shape
    assert np.abs(found.astype(int) - photo()).max() <= 6


def test_whatever_a_decoder_raises_is_an_error_about_the_image(monkeypatch):
    from PIL import ImageFile

    data = written(Image.fromarray(photo()), "PNG")
    for error in (RuntimeError("broken"), AttributeError("odd"), AssertionError()):

        def fail(self, error=error):
            raise error

        monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
        with pytest.raises(ValueError, match=r"broken|odd|AssertionError"):
            from_file(data)


def test_an_image_that_is_read_by_several_threads_is_read_once_and_whole(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    large = photo(900, 900)
    Image.fromarray(large).save(tmp_path / "large.png")
    for _ in range(5):
        image = Image.open(tmp_path / "large.png")
        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(from_image, [image] * 16):
                np.testing.assert_array_equal(found, large)


def test_numbers_are_read_generously_where_they_are_plain():
    np.testing.assert_array_equal(from_array(np.full((2, 2), 1 + 1e-6)), 255)
    np.testing.assert_array_equal(from_array(np.full((2, 2), -1e-6)), 0)
    np.testing.assert_array_equal(from_array(np.full((2, 2), 512, dtype=">u2")), 2)
    with pytest.raises(ValueError, match="from nan"):
        from_array(np.full((2, 2), np.nan))
