"""Pictures, mattes and trimaps are read right or refused in one line."""

import errno
import logging
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from utils.images.listing import list_images
from utils.images.reading import read_alpha, read_image, read_trimap, require_unknown
from utils.images.sizes import check_same_size, image_size
from utils.images.writing import write_image

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
ORIENTATION_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, width: int, depth: int, kind: int, rows: list, extra: bytes = b"") -> Path:
    """Write a PNG bit by bit, so that no library decides what is in it."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )
    return path


def refused(function, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


# --- pictures ---------------------------------------------------------------------------------


def test_png_comes_back_as_it_was_written(tmp_path, noise):
    write_image(tmp_path / "a" / "rgb.png", noise)
    assert np.array_equal(read_image(tmp_path / "a" / "rgb.png"), noise)
    write_image(tmp_path / "grey.png", noise[..., 0])
    assert np.array_equal(read_alpha(tmp_path / "grey.png"), noise[..., 0])
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(noise[..., :1], 3, axis=2))


def test_jpeg_is_written_by_suffix(tmp_path, noise):
    smooth = cv2.GaussianBlur(noise, (0, 0), 9)
    write_image(tmp_path / "a.jpg", smooth)
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).max() < 12


@pytest.mark.parametrize("shrink", [2, 4, 8])
def test_a_jpeg_can_be_read_smaller(tmp_path, noise, shrink):
    large = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 9), (203, 149))
    write_image(tmp_path / "a.jpg", large)
    small = read_image(tmp_path / "a.jpg", shrink)
    assert small.shape == (-(-149 // shrink), -(-203 // shrink), 3)
    wanted = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - wanted).mean() < 3


def test_a_smaller_jpeg_is_not_turned_by_its_orientation_either(tmp_path, noise):
    write_image(tmp_path / "a.jpg", noise)
    data = (tmp_path / "a.jpg").read_bytes()
    length = struct.pack(">H", len(ORIENTATION_6) + 2)
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"\xff\xe1" + length + ORIENTATION_6 + data[2:])
    assert read_image(tmp_path / "a.jpg").shape == (37, 53, 3)
    assert read_image(tmp_path / "a.jpg", 2).shape == (19, 27, 3)
    assert image_size(tmp_path / "a.jpg") == (37, 53)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_size_is_told_without_decoding(tmp_path, noise, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, noise)
    assert image_size(path) == (37, 53)
    path.write_bytes(path.read_bytes()[:-9])
    assert image_size(path) == (37, 53)


def test_the_size_is_read_where_pillow_refuses_what_we_read(tmp_path, noise):
    path = tmp_path / "profile.png"
    write_image(path, noise)
    data = path.read_bytes()
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2 << 20)))
    path.write_bytes(data[:33] + profile + data[33:])  # behind the header
    with pytest.raises((OSError, ValueError)):
        Image.open(path)
    assert image_size(path) == (37, 53)


def test_what_is_no_picture_has_no_size(tmp_path):
    assert "no such file" in refused(image_size, tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not a picture")
    assert "text.png: not a whole picture" in refused(image_size, tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    assert "empty.png: the file is empty" in refused(image_size, tmp_path / "empty.png")


def test_image_ignores_its_alpha_channel(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGBA, [[1, 2, 3, 0, 5, 6, 7, 128]])
    assert read_image(path).tolist() == [[[1, 2, 3], [5, 6, 7]]]


def test_a_tiff_keeps_its_colours_under_its_alpha(tmp_path):
    stored = np.array([[[200, 100, 50, 128], [10, 20, 30, 0], [250, 240, 230, 255]]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif"), stored[..., :3])
    assert np.array_equal(read_alpha(tmp_path / "a.tif"), stored[..., 3])


def test_palette_is_expanded(tmp_path):
    colours = chunk(b"PLTE", bytes([10, 20, 30, 255, 0, 0, 0, 0, 255]))
    path = png(tmp_path / "a.png", 3, 8, PALETTE, [[2, 0, 1]], colours)
    assert read_image(path).tolist() == [[[0, 0, 255], [10, 20, 30], [255, 0, 0]]]


def test_sixteen_bits_are_scaled_and_rounded(tmp_path):
    row = struct.pack(">4H", 0, 65535, 257 * 100 + 128, 257 * 100 + 129)
    assert read_alpha(png(tmp_path / "a.png", 4, 16, GREY, [row])).tolist() == [[0, 255, 100, 101]]
    row = struct.pack(">3H", 65535, 0, 32896)
    assert read_image(png(tmp_path / "b.png", 1, 16, RGB, [row])).tolist() == [[[255, 0, 128]]]


def test_exif_orientation_is_not_applied_to_image_or_alpha(tmp_path):
    write_image(tmp_path / "plain.jpg", np.zeros((20, 30), np.uint8))
    data = (tmp_path / "plain.jpg").read_bytes()
    head = b"\xff\xe1" + struct.pack(">H", len(ORIENTATION_6) + 2) + ORIENTATION_6
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(data[:2] + head + data[2:])
    assert cv2.imread(str(turned), cv2.IMREAD_COLOR).shape == (30, 20, 3)  # the tag is understood
    assert read_image(turned).shape == (20, 30, 3)
    assert read_alpha(turned).shape == (20, 30)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_file_is_one_line_and_nothing_else(tmp_path, noise, suffix, share, capfd):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), noise)
    data = path.read_bytes()
    assert read_image(path).shape == noise.shape
    path.write_bytes(data[: int(share * len(data))])
    assert str(path) in refused(read_image, path)
    assert capfd.readouterr().err == ""


def test_file_that_is_no_picture_is_refused(tmp_path, capfd):
    for name, data in (("text.png", b"hello"), ("none.png", b""), ("jpeg.jpg", b"\xff\xd8")):
        (tmp_path / name).write_bytes(data)
        assert name in refused(read_image, tmp_path / name)
    assert "no such file" in refused(read_image, tmp_path / "missing.png")
    assert "cannot be read" in refused(read_image, tmp_path)
    assert capfd.readouterr().err == ""


def test_damaged_png_is_refused(tmp_path, noise, capfd):
    path = tmp_path / "a.png"
    write_image(path, noise)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    assert "damaged" in refused(read_image, path)
    assert capfd.readouterr().err == ""


def test_float_pixels_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((4, 4), np.float32))
    assert "float32" in refused(read_alpha, tmp_path / "a.tif")


# --- mattes -----------------------------------------------------------------------------------


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


# --- trimaps ----------------------------------------------------------------------------------


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


# --- folders and saving -----------------------------------------------------------------------


def test_folder_is_listed_by_name_without_hidden_and_other_files(tmp_path, noise):
    for name in ("b.png", "a.JPG", "c.d.png", ".e.1.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(list_images(tmp_path)) == ["a", "b", "c.d"]
    assert list_images(tmp_path)["a"] == tmp_path / "a.JPG"


@pytest.mark.parametrize("name", ["cat .png", " cat.png", "c\u2028at.png", "c\tat.png"])
def test_a_name_that_no_list_can_hold_is_refused(tmp_path, noise, name):
    write_image(tmp_path / name, noise)
    assert "rename it" in refused(list_images, tmp_path)


def test_folder_that_cannot_be_used_is_named(tmp_path):
    assert "no such folder" in refused(list_images, tmp_path / "none")
    assert "no pictures" in refused(list_images, tmp_path)
    (tmp_path / "a.png").touch()
    (tmp_path / "a.jpg").touch()
    message = refused(list_images, tmp_path)
    assert "a.jpg" in message and "a.png" in message


def test_different_sizes_are_named_with_both_files():
    small, large = np.zeros((4, 6), np.uint8), np.zeros((6, 8, 3), np.uint8)
    check_same_size("a", small, "b", np.zeros((4, 6, 3)))
    assert refused(check_same_size, "a.jpg", large, "b.png", small).startswith(
        "a.jpg is 8 x 6, but b.png is 6 x 4;"
    )
    assert "EXIF" in refused(check_same_size, "a.jpg", small.T, "b.png", small)


@pytest.mark.parametrize("name", ["fsync", "write"])
def test_full_disk_leaves_the_older_file(tmp_path, monkeypatch, name):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.png"
    write_image(path, banded(0, 128, 255))
    before = path.read_bytes()
    if name == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "write_bytes", full)
    assert "disk is full" in refused(write_image, path, banded(0, 0, 255))
    assert "disk is full" in refused(write_image, tmp_path / "new.png", banded(0, 0, 255))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_suffix_is_refused(tmp_path):
    assert ".png or .jpg" in refused(write_image, tmp_path / "a.gif", banded(0, 0, 0))
