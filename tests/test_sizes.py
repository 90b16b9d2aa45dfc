"""Sizes are those of the stored pixels; files of two sizes are both named."""

import zlib

import numpy as np
import pytest
from PIL import Image

from tests.pngs import chunk
from tests.refusals import refused
from utils.images.sizes import check_same_size, image_size
from utils.images.writing import write_image


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


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


def test_different_sizes_are_named_with_both_files():
    small, large = np.zeros((4, 6), np.uint8), np.zeros((6, 8, 3), np.uint8)
    check_same_size("a", small, "b", np.zeros((4, 6, 3)))
    assert refused(check_same_size, "a.jpg", large, "b.png", small).startswith(
        "a.jpg is 8 x 6, but b.png is 6 x 4;"
    )
    assert "EXIF" in refused(check_same_size, "a.jpg", small.T, "b.png", small)
