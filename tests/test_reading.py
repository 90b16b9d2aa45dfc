"""Mattes and trimaps are read right or refused in one line."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, png
from tests.refusals import refused
from utils.images.reading import (
    read_alpha,
    read_cutout,
    read_image,
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


def test_matte_with_colour_is_refused(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGB, [[7, 7, 7, 250, 120, 9]])
    message = refused(read_alpha, path)
    assert str(path) in message and "grey PNG" in message


def test_matte_with_two_meanings_is_refused(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, GREY_ALPHA, [[10, 80, 80, 10]])
    assert "two different mattes" in refused(read_alpha, path)


def banded(background: int, unknown: int, foreground: int) -> np.ndarray:
    return np.repeat(np.array([[background, unknown, foreground]], np.uint8), 20, 1).repeat(9, 0)


def test_trimap_of_three_levels_is_read_silently(tmp_path, caplog):
    write_image(tmp_path / "a.png", banded(0, 128, 255))
    assert np.array_equal(read_trimap(tmp_path / "a.png"), banded(0, 128, 255))
    assert not caplog.records


def test_trimap_near_the_levels_is_snapped_with_one_warning(tmp_path, caplog):
    path = tmp_path / "a.png"
    write_image(path, banded(1, 127, 254))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(read_trimap(path), banded(0, 128, 255))
    assert len(caplog.records) == 1
    assert str(path) in caplog.messages[0] and "540 pixels" in caplog.messages[0]


def test_a_warning_comes_once_a_file_however_often_it_is_read(tmp_path, caplog):
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((9, 9), 130, np.uint8))
        for _ in range(3):
            read_trimap(tmp_path / f"{name}.png")
    told = [Path(record.args[0].partition(": ")[0]).name for record in caplog.records]
    assert told == ["a.png", "b.png"]


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


def test_trimap_of_labels_is_refused(tmp_path):
    write_image(tmp_path / "a.png", banded(0, 1, 2))
    assert "values are 0 to 2" in refused(read_trimap, tmp_path / "a.png")


def test_trimap_without_unknown_can_be_read_but_not_required(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, banded(0, 0, 255))
    trimap = read_trimap(path)
    message = refused(require_unknown, path, trimap)
    assert str(path) in message and "no unknown pixels" in message
    require_unknown(path, banded(0, 128, 255))


SMALL = {
    "0 and 1 in 8 bits": (np.uint8, 1, "0 to 1; save it as 0 to 255"),
    "0 and 1 in 16 bits": (np.uint16, 1, "0 to 1; save it as 0 to 65535"),
    "8 bits in 16": (np.uint16, 255, "0 to 255; save it as 0 to 65535, or with 8 bits"),
    "10 bits in 16": (np.uint16, 1023, "0 to 1023"),
    "12 bits in 16": (np.uint16, 4095, "0 to 4095"),
}


@pytest.mark.parametrize("dtype, top, said", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_mattes_of_another_range_are_refused_in_any_channel(tmp_path, dtype, top, said, suffix):
    path = tmp_path / f"a{suffix}"
    values = np.tile(np.array([0, top], dtype), (6, 4))
    white = np.full_like(values, np.iinfo(dtype).max)
    for stored in (values, np.dstack([values] * 3), np.dstack([white] * 3 + [values])):
        cv2.imwrite(str(path), stored)
        assert f"{path}: its values are {said}" in refused(read_alpha, path)
    assert said in refused(read_cutout, path)
    assert read_image(path).min() == 255


def test_sixteen_bit_pictures_that_hold_eight_are_refused(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.tile(np.arange(256, dtype=np.uint16), (4, 1)))
    assert "0 to 255; save it as 0 to 65535, or with 8 bits" in refused(read_image, path)


@pytest.mark.parametrize("top", [0, 2, 77, 255])
def test_faint_mattes_and_empty_ones_are_read(tmp_path, top):
    path = tmp_path / "a.png"
    write_image(path, np.tile(np.array([0, top], np.uint8), (6, 4)))
    assert read_alpha(path).max() == top
    cv2.imwrite(str(path), np.tile(np.array([0, 257 * top], np.uint16), (6, 4)))
    assert read_alpha(path).max() == top


def test_a_bit_a_pixel_is_black_and_white(tmp_path):
    path = png(tmp_path / "a.png", 8, 1, GREY, [[0b10101010]])
    assert read_alpha(path).tolist() == [[255, 0] * 4]
