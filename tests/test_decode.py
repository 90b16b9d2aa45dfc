"""Stored pixels are decoded right, whatever the format, or the file is refused in one line."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.pngs import GREY, PALETTE, RGB, RGBA, chunk, png
from tests.refusals import refused
from utils.images.decode import decode
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.sizes import image_size
from utils.images.writing import write_image

ORIENTATION_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


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


def test_image_ignores_its_alpha_channel(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGBA, [[1, 2, 3, 0, 5, 6, 7, 128]])
    assert read_image(path).tolist() == [[[1, 2, 3], [5, 6, 7]]]


def test_a_tiff_keeps_its_colours_under_its_alpha(tmp_path):
    stored = np.array([[[200, 100, 50, 128], [10, 20, 30, 0], [250, 240, 230, 255]]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif"), stored[..., :3])
    assert np.array_equal(read_alpha(tmp_path / "a.tif"), stored[..., 3])
    grey = np.array([[[7, 20], [200, 128]]], np.uint8)
    Image.fromarray(grey, "LA").save(tmp_path / "grey.tif")
    assert decode(tmp_path / "grey.tif").tolist() == [[[7, 7, 7, 20], [200, 200, 200, 128]]]
    deep = stored.astype(np.uint16) * 257 + 99
    cv2.imwrite(str(tmp_path / "deep.tif"), deep[..., [2, 1, 0, 3]])
    assert np.array_equal(decode(tmp_path / "deep.tif")[..., :3], deep[..., :3])


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


def test_a_picture_that_is_too_large_is_called_so(tmp_path):
    path = tmp_path / "a.png"
    header = struct.pack(">IIBBBBB", 40000, 30000, 8, GREY, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    assert refused(read_image, path).startswith(
        f"{path}: 40000 x 30000 is more than can be read (2^30 pixels; OPENCV_IO_MAX_IMAGE_PIXELS)"
    )


def test_damaged_png_is_refused(tmp_path, noise, capfd):
    path = tmp_path / "a.png"
    write_image(path, noise)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    assert "damaged" in refused(read_image, path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_float_pixels_are_decoded_but_are_no_picture(tmp_path, shape, kind):
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), np.zeros(shape, kind))
    if kind is np.float32 or len(shape) == 2:
        assert decode(path).dtype == kind
    for read in (read_image, read_alpha, read_cutout):
        assert f"its pixels are {kind.__name__}" in refused(read, path)


def test_a_cutout_is_its_colours_and_its_alpha_channel_if_it_has_one(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGBA, [[1, 2, 3, 0, 5, 6, 7, 128]])
    colours, alpha = read_cutout(path)
    assert colours.tolist() == [[[1, 2, 3], [5, 6, 7]]] and alpha.tolist() == [[0, 128]]
    for name, kind, row in (("grey", GREY, [7, 9]), ("rgb", RGB, [7, 7, 7, 9, 9, 9])):
        colours, alpha = read_cutout(png(tmp_path / f"{name}.png", 2, 8, kind, [row]))
        assert colours.tolist() == [[[7] * 3, [9] * 3]] and alpha is None
