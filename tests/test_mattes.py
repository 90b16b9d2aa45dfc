"""Saved mattes: 8 and 16 bits, arrays and TIFF in floating point, rounded or as they are."""

import cv2
import numpy as np
import pytest

from models.errors import InputError
from tests.refusals import refused
from tests.sets import disc
from utils.images.mattes import list_mattes, matte_size, read_matte, to_8_bits, to_float
from utils.images.writing import write_image
from utils.score.pictures import match_saved

VALUES = np.linspace(0, 1, 30 * 40).reshape(30, 40)
NAN, INFINITE = (np.where(VALUES > 0.9, odd, VALUES) for odd in (np.nan, np.inf))


def save(path, values):
    """A matte in [0, 1] in the format of its suffix; PNG with 16 bits."""
    if path.suffix == ".npy":
        np.save(path, values.astype(np.float32))
    elif path.suffix == ".png":
        cv2.imwrite(str(path), np.rint(values * 65535).astype(np.uint16))
    else:
        cv2.imwrite(str(path), values.astype(np.float32))
    return path


@pytest.mark.parametrize("name, within", [("m.npy", 1e-7), ("m.tif", 1e-7), ("m.png", 1 / 131070)])
def test_float_mattes_are_read_as_they_are_or_rounded_as_their_8_bit_file(tmp_path, name, within):
    path = save(tmp_path / name, VALUES)
    exact = read_matte(path, exact=True)
    assert exact.dtype == np.float64 and np.abs(exact - VALUES).max() <= within
    rounded = read_matte(path)
    assert rounded.dtype == np.uint8 and (rounded == np.rint(255 * exact)).all()
    assert matte_size(path) == (30, 40)


def test_an_8_bit_matte_is_the_same_either_way(tmp_path):
    alpha = disc(40, 50)
    write_image(tmp_path / "m.png", alpha)
    assert (read_matte(tmp_path / "m.png") == alpha).all()
    assert (read_matte(tmp_path / "m.png", exact=True) == alpha / 255).all()


def test_rounding_and_back_keeps_8_bits():
    values = np.arange(256, dtype=np.uint8)[None]
    assert (to_8_bits(to_float(values)) == values).all()


@pytest.mark.parametrize("values", [VALUES * 255, VALUES - 0.5, VALUES / 255, NAN, INFINITE])
def test_values_that_are_not_0_to_1_are_refused(tmp_path, values):
    path = save(tmp_path / "m.npy", values)
    with pytest.raises(InputError, match=r"m\.npy: its values are .*; save them as 0 to 1"):
        read_matte(path)


@pytest.mark.parametrize("values", [VALUES * 255, VALUES / 255, NAN, INFINITE])
def test_a_tiff_of_any_float_is_held_to_the_same_range_and_its_size_is_known(tmp_path, values):
    for kind in (np.float32, np.float64):
        cv2.imwrite(str(tmp_path / "m.tif"), values.astype(kind))
        assert matte_size(tmp_path / "m.tif") == (30, 40)
        assert "save them as 0 to 1" in refused(read_matte, tmp_path / "m.tif")
        cv2.imwrite(str(tmp_path / "m.tif"), VALUES.astype(kind))
        assert np.abs(read_matte(tmp_path / "m.tif", exact=True) - VALUES).max() < 1e-7


def test_arrays_of_one_channel_are_taken_and_others_refused(tmp_path):
    np.save(tmp_path / "one.npy", VALUES[None, :, :, None])
    assert read_matte(tmp_path / "one.npy").shape == (30, 40)
    for name, array in (("three", np.zeros((4, 4, 3))), ("whole", np.zeros((4, 4), int))):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(InputError, match=rf"{name}\.npy: .*floating-point array \(height"):
            read_matte(tmp_path / f"{name}.npy")
    (tmp_path / "half.npy").write_bytes((tmp_path / "one.npy").read_bytes()[:500])
    with pytest.raises(InputError, match=r"half\.npy: not a whole array"):
        read_matte(tmp_path / "half.npy")


def test_sixteen_bits_in_colour_are_refused_only_where_they_would_be_rounded(tmp_path):
    grey = np.rint(VALUES * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "m.png"), np.dstack([grey] * 3))
    assert read_matte(tmp_path / "m.png").dtype == np.uint8
    with pytest.raises(InputError, match=r"several channels; save it as 16-bit grey"):
        read_matte(tmp_path / "m.png", exact=True)


def test_arrays_and_pictures_are_listed_together_by_name(tmp_path):
    for name in ("b.npy", "a.png", "c.tif"):
        save(tmp_path / name, VALUES)
    assert list(list_mattes(tmp_path)) == ["a", "b", "c"]
    save(tmp_path / "a.npy", VALUES)
    with pytest.raises(InputError, match=r"a\.npy and a\.png have the same name; remove one"):
        list_mattes(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_mattes(tmp_path / "gone")


def test_arrays_and_pictures_pair_with_truth_in_either_form_of_their_names(tmp_path):
    """macOS writes the accent as a character of its own (NFD), other systems do not."""
    for folder in ("ours", "alpha", "trimap"):
        (tmp_path / folder).mkdir()
    save(tmp_path / "ours" / "a\u0308.npy", VALUES)
    save(tmp_path / "ours" / "o\u0308.png", VALUES)
    for folder in ("alpha", "trimap"):
        save(tmp_path / folder / "\u00e4.png", VALUES)
        save(tmp_path / folder / "\u00f6.png", VALUES)
    found = match_saved(*(tmp_path / folder for folder in ("ours", "alpha", "trimap")))
    assert [picture.name for picture in found] == ["\u00e4", "\u00f6"]
    assert all(file.exists() for picture in found for file in picture.files)


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((1, 1, 1, 5), (1, 5)), ((1, 1, 5, 1), (5, 1)), ((1, 1, 1, 1), (1, 1)), ((4, 5, 1), (4, 5))],
)
def test_a_side_of_one_pixel_is_a_side(tmp_path, shape, seen):
    np.save(tmp_path / "a.npy", np.full(shape, 0.5))
    assert matte_size(tmp_path / "a.npy") == seen == read_matte(tmp_path / "a.npy").shape


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data.replace(b"}", b"("),
        lambda data: data.replace(b"'shape': (4, 5)", b"'shape': (4,-5)"),
        lambda data: data.replace(b"'shape': (4, 5)", b"'shape': 'abcde'"),
        lambda data: data.replace(b"<f8", b"<z9"),
        lambda data: data.replace(b"descr", b"other"),
        lambda data: data[:8] + b"\xff\xff" + data[10:],
        lambda data: data[:40],
        lambda data: b"PK\x03\x04" + data,
        lambda data: b"\x80\x04" + data,
    ],
)
def test_a_damaged_array_is_one_line(tmp_path, harm):
    np.save(tmp_path / "a.npy", np.full((4, 5), 0.5))
    path = tmp_path / "a.npy"
    path.write_bytes(harm(path.read_bytes()))
    assert "a.npy: " in refused(read_matte, path) and "a.npy: " in refused(matte_size, path)


def test_an_archive_of_arrays_and_an_empty_array_are_no_mattes(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, np.zeros((4, 5)))
    assert "not a whole array" in refused(read_matte, tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((0, 5)))
    assert "float64 (0, 5); save a" in refused(read_matte, tmp_path / "a.npy")
