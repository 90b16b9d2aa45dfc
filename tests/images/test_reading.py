"""Pictures, mattes and trimaps are read right or refused in one line."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import InputError
from tests.pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, png
from tests.refusals import refused
from tests.sets import disc
from utils.images.reading import (
    check_same_size,
    list_mattes,
    read_alpha,
    read_cutout,
    read_image,
    read_matte,
    read_trimap,
    require_unknown,
)
from utils.images.writing import write_image


def test_matte_is_read_from_every_kind_of_grey(tmp_path):
    ramp = chunk(b"PLTE", bytes([0, 0, 0, 128, 128, 128, 255, 255, 255]))
    for name, arguments, expected in (
        ("1 bit", (8, 1, GREY, [[0b10110000]]), [255, 0, 255, 255, 0, 0, 0, 0]),
        ("2 bits", (4, 2, GREY, [[0b00011011]]), [0, 85, 170, 255]),
        ("rgb", (2, 8, RGB, [[7, 7, 7, 250, 250, 250]]), [7, 250]),
        ("palette", (4, 2, PALETTE, [[0b00011001]], ramp), [0, 128, 255, 128]),
        ("opaque", (2, 8, RGBA, [[7, 7, 7, 255, 9, 9, 9, 255]]), [7, 9]),
        ("grey + opaque", (2, 8, GREY_ALPHA, [[7, 255, 9, 255]]), [7, 9]),
    ):
        assert read_alpha(png(tmp_path / f"{name}.png", *arguments)).tolist() == [expected], name


def test_matte_is_the_alpha_channel_of_a_cut_out(tmp_path):
    colours = chunk(b"PLTE", bytes([10, 20, 30, 255, 0, 0])) + chunk(b"tRNS", bytes([0, 99]))
    for name, arguments, expected in (
        ("colour", (2, 8, RGBA, [[200, 3, 3, 10, 3, 200, 3, 255]]), [10, 255]),
        ("white", (2, 8, RGBA, [[255, 255, 255, 10, 255, 255, 255, 80]]), [10, 80]),
        ("white, black unseen", (2, 8, GREY_ALPHA, [[0, 0, 255, 80]]), [0, 80]),
        ("matte twice", (2, 8, GREY_ALPHA, [[10, 10, 80, 80]]), [10, 80]),
        ("palette", (2, 8, PALETTE, [[1, 0]], colours), [99, 0]),
    ):
        assert read_alpha(png(tmp_path / f"{name}.png", *arguments)).tolist() == [expected], name


def test_matte_with_colour_or_with_two_meanings_is_refused(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGB, [[7, 7, 7, 250, 120, 9]])
    message = refused(read_alpha, path)
    assert str(path) in message and "grey PNG" in message
    path = png(tmp_path / "a.png", 2, 8, GREY_ALPHA, [[10, 80, 80, 10]])
    assert "two different mattes" in refused(read_alpha, path)


def banded(background: int, unknown: int, foreground: int) -> np.ndarray:
    return np.repeat(np.array([[background, unknown, foreground]], np.uint8), 20, 1).repeat(9, 0)


def test_trimap_near_the_levels_is_snapped_with_one_warning_a_file(tmp_path, caplog):
    exact, near = tmp_path / "exact.png", tmp_path / "near.png"
    write_image(exact, banded(0, 128, 255))
    write_image(near, banded(1, 127, 254))
    for path in (exact, near, near):
        assert np.array_equal(read_trimap(path), banded(0, 128, 255))
    (message,) = caplog.messages
    assert str(near) in message and "540 pixels" in message


def test_trimap_saved_as_jpeg_is_snapped(tmp_path):
    trimap = np.zeros((200, 200), np.uint8)
    cv2.circle(trimap, (100, 100), 80, 128, -1)
    cv2.circle(trimap, (100, 100), 50, 255, -1)
    write_image(tmp_path / "a.jpg", trimap)
    read = read_trimap(tmp_path / "a.jpg")
    assert set(np.unique(read)) == {0, 128, 255}
    assert np.mean(read != trimap) < 0.005


def test_matte_is_no_trimap(tmp_path):
    wide = np.tile(np.linspace(0, 255, 100).astype(np.uint8), (50, 1))
    sharp = banded(0, 0, 255).repeat(30, 1)
    sharp[:, 900:908] = np.arange(20, 100, 10)  # soft in a share of the picture far below 1 %
    for name, matte in (("wide.png", wide), ("sharp.png", sharp)):
        write_image(tmp_path / name, matte)
        message = refused(read_trimap, tmp_path / name)
        assert name in message and "is it a matte?" in message


def test_trimap_without_unknown_can_be_read_but_not_required(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, banded(0, 0, 255))
    trimap = read_trimap(path)
    message = refused(require_unknown, path, trimap)
    assert str(path) in message and "no unknown pixels" in message
    require_unknown(path, banded(0, 128, 255))


@pytest.mark.parametrize(
    "dtype, top, said",
    [
        (np.uint8, 1, "0 to 1; save it as 0 to 255"),
        (np.uint16, 255, "0 to 255; save it as 0 to 65535, or with 8 bits"),
        (np.uint16, 4095, "0 to 4095"),
    ],
)
def test_mattes_of_another_range_are_refused_in_any_channel(tmp_path, dtype, top, said):
    path = tmp_path / "a.png"
    values = np.tile(np.array([0, top], dtype), (6, 4))
    white = np.full_like(values, np.iinfo(dtype).max)
    for stored in (values, np.dstack([values] * 3), np.dstack([white] * 3 + [values])):
        cv2.imwrite(str(path), stored)
        assert f"{path}: its values are {said}" in refused(read_alpha, path)
    assert said in refused(read_cutout, path)
    assert read_image(path).min() == 255


@pytest.mark.parametrize("top", [0, 2])
def test_faint_mattes_and_empty_ones_are_read(tmp_path, top):
    for dtype, scale in ((np.uint8, 1), (np.uint16, 257)):
        cv2.imwrite(str(tmp_path / "a.png"), np.tile(np.array([0, scale * top], dtype), (6, 4)))
        assert read_alpha(tmp_path / "a.png").max() == top


# --- saved mattes -------------------------------------------------------------------------------


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


def test_an_8_bit_matte_is_the_same_either_way(tmp_path):
    alpha = disc(40, 50)
    write_image(tmp_path / "m.png", alpha)
    assert (read_matte(tmp_path / "m.png") == alpha).all()
    assert (read_matte(tmp_path / "m.png", exact=True) == alpha / 255).all()


@pytest.mark.parametrize("name", ["m.npy", "m.tif"])
@pytest.mark.parametrize("values", [VALUES * 255, VALUES - 0.5, VALUES / 255, NAN, INFINITE])
def test_floats_that_are_not_0_to_1_are_refused(tmp_path, name, values):
    line = refused(read_matte, save(tmp_path / name, values))
    assert f"{name}: its values are " in line and line.endswith("; save them as 0 to 1")


def test_arrays_of_one_channel_are_taken_and_others_refused(tmp_path):
    np.save(tmp_path / "one.npy", VALUES[None, :, :, None])
    assert read_matte(tmp_path / "one.npy").shape == (30, 40)
    for name, array in (("three", np.zeros((4, 4, 3))), ("whole", np.zeros((4, 4), int))):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(InputError, match=rf"{name}\.npy: .*floating-point array \(height"):
            read_matte(tmp_path / f"{name}.npy")


def test_arrays_and_pictures_are_listed_together_by_name(tmp_path):
    for name in ("b.npy", "a.png", "c.tif"):
        save(tmp_path / name, VALUES)
    assert list(list_mattes(tmp_path)) == ["a", "b", "c"]
    save(tmp_path / "a.npy", VALUES)
    with pytest.raises(InputError, match=r"a\.npy and a\.png have the same name; remove one"):
        list_mattes(tmp_path)


def test_what_is_no_array_is_one_line(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.full((4, 5), 0.5))
    data = path.read_bytes()
    for damaged in (data[:40], data.replace(b"}", b"("), b"\x80\x04" + data):
        path.write_bytes(damaged)
        assert "a.npy: not a whole array" in refused(read_matte, path)
    with path.open("wb") as file:
        np.savez(file, np.zeros((4, 5)))
    assert "not a whole array" in refused(read_matte, path)
    np.save(path, np.zeros((0, 5)))
    assert "float64 (0, 5); save a" in refused(read_matte, path)


# --- sizes --------------------------------------------------------------------------------------


def test_different_sizes_are_named_with_both_files():
    small, large = np.zeros((4, 6), np.uint8), np.zeros((6, 8, 3), np.uint8)
    check_same_size("a", small, "b", np.zeros((4, 6, 3)))
    assert refused(check_same_size, "a.jpg", large, "b.png", small).startswith(
        "a.jpg is 8 x 6, but b.png is 6 x 4;"
    )
    assert "EXIF" in refused(check_same_size, "a.jpg", small.T, "b.png", small)


# --- writing --------------------------------------------------------------------------------------


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_png_comes_back_as_it_was_written(tmp_path, noise):
    write_image(tmp_path / "a" / "rgb.png", noise)
    assert np.array_equal(read_image(tmp_path / "a" / "rgb.png"), noise)
    write_image(tmp_path / "grey.png", noise[..., 0])
    assert np.array_equal(read_alpha(tmp_path / "grey.png"), noise[..., 0])
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(noise[..., :1], 3, axis=2))


def test_full_disk_leaves_the_older_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.png"
    write_image(path, np.full((9, 9), 128, np.uint8))
    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    assert "disk is full" in refused(write_image, path, np.zeros((9, 9), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_suffix_is_refused(tmp_path):
    assert ".png or .jpg" in refused(write_image, tmp_path / "a.gif", np.zeros((9, 9), np.uint8))
