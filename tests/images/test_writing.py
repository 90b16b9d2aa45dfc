"""Pictures are saved whole or not at all."""

import errno
from pathlib import Path

import numpy as np
import pytest

from tests.refusals import refused
from utils.images.reading import read_alpha, read_image
from utils.images.writing import write_image


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
