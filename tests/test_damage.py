"""A picture whose decoder warns is refused by name, and nothing is lost of what others write."""

import os
import struct
import threading
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.pngs import chunk
from tests.refusals import refused
from tests.sets import picture
from utils.images.overheard import damage_raises
from utils.images.reading import read_image

KINDS = {
    "baseline": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "optimized": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}
WARNING = b"Corrupt JPEG data: premature end of data segment\n"


def jpeg(kind: str) -> tuple[bytes, int]:
    """A whole file, and where its first scan begins."""
    noise = np.random.default_rng(0).integers(-20, 20, (120, 160, 3))
    noisy = (picture(0, 120, 160) + noise).clip(0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, KINDS[kind])[1].tobytes()
    return data, data.index(b"\xff\xda") + 14


@pytest.mark.parametrize("shrink", [1, 4])
@pytest.mark.parametrize("damage", ["cut", "zeroed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_that_is_cut_or_zeroed_before_its_end_marker(tmp_path, kind, damage, shrink, capfd):
    data, scan = jpeg(kind)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert read_image(path, shrink).shape == (-(-120 // shrink), -(-160 // shrink), 3)
    half = (scan + len(data)) // 2
    zeros = bytes(len(data) - 2 - half) if damage == "zeroed" else b""
    path.write_bytes(data[:half] + zeros + data[-2:])
    assert refused(read_image, path, shrink) == (
        f"{path}: the file is truncated or damaged; copy it again"
    )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", [5, 8, 32773], ids=["LZW", "deflate", "PackBits"])
def test_a_tiff_with_damage_in_the_middle(tmp_path, compression, capfd):
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    assert np.array_equal(read_image(path), noise[..., ::-1])
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + bytes(range(256)) + data[half + 256 :])
    if compression != 32773:  # which holds nothing to tell it by
        assert str(path) in refused(read_image, path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_tiff_with_alpha_and_damage(tmp_path, mode, compression, capfd):
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, len(mode)), dtype=np.uint8)
    Image.fromarray(noise, mode).save(path, compression=compression)
    assert read_image(path).shape == (60, 80, 3)
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + bytes(range(256)) + data[half + 256 :])
    assert str(path) in refused(read_image, path)
    assert capfd.readouterr().err == ""


def test_a_png_whose_checksums_are_right_and_whose_content_is_not(tmp_path, capfd):
    rows = zlib.compress(b"\1\2\3" * 20)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, 8, 0, 0, 0, 0))
    path = tmp_path / "a.png"
    for content in (rows, rows[:-6], rows[:9] + b"abc" + rows[12:]):
        path.write_bytes(data + chunk(b"IDAT", content) + chunk(b"IEND", b""))
        assert str(path) in refused(read_image, path)
    assert capfd.readouterr().err == ""


def test_what_others_write_meanwhile_comes_out(capfd):
    with damage_raises():
        os.write(2, b"one\ntwo")
    with pytest.raises(ValueError), damage_raises():
        os.write(2, b"three\n" + WARNING)
    assert capfd.readouterr().err == "one\ntwothree\n"


def test_threads_and_forks_keep_their_stderr(capfd):
    def many() -> None:
        for _ in range(50):
            with damage_raises():
                pass

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        child = os.fork()
        if not child:
            with damage_raises():
                os.write(2, b"child\n")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    for thread in threads:
        thread.join()
    os.write(2, b"end\n")
    assert capfd.readouterr().err == "child\n" * 3 + "end\n"


def test_without_a_stderr_pictures_are_read(tmp_path):
    data, _ = jpeg("baseline")
    (tmp_path / "a.jpg").write_bytes(data)
    kept = os.dup(2)
    os.close(2)
    try:
        shape = read_image(tmp_path / "a.jpg").shape
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert shape == (120, 160, 3)
