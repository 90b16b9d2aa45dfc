"""Damage that decoders do not speak of is refused by name, and no whole file is."""

import io
import random
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from tests.refusals import refused
from tests.sets import disc, picture
from tests.tiffs import tiff
from utils.images.decode import decode
from utils.images.reading import read_image

SIZE = (120, 160)
DAMAGED = "the file is truncated or damaged; copy it again"
JPEGS = {
    "usual codes": {},
    "own codes": {"optimize": True},
    "progressive": {"progressive": True},
    "grey": {},
    "CMYK": {},
}
TIFFS = [
    *(("RGB", "packbits"), ("RGBA", "packbits"), ("1", "packbits"), ("1", "group4")),
    *(("RGB", "tiff_adobe_deflate"), ("RGBA", "tiff_adobe_deflate"), ("L", "tiff_lzw")),
    *(("RGB", "jpeg"), ("RGBA", "jpeg"), ("L", "jpeg")),
]


def photograph(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).integers(-20, 20, (*SIZE, 3))
    rgb = (picture(0, *SIZE) + noise).clip(0, 255).astype(np.uint8)
    if mode == "RGBA":
        return Image.fromarray(np.dstack((rgb, disc(*SIZE))))
    return Image.fromarray(rgb).convert(mode)


def saved(image: Image.Image, format_: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def unseen(path, whole: bytes, damaged: list[bytes]) -> int:
    """How many of the files are read as other pixels."""
    path.write_bytes(whole)
    right, count = decode(path), 0
    for data in damaged:
        path.write_bytes(data)
        try:
            count += not np.array_equal(decode(path), right)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
    return count


def zeroed(data: bytes, low: int, length: int, count: int = 6) -> list[bytes]:
    """Copies with zeros somewhere behind `low`."""
    rng = random.Random(0)
    starts = [rng.randrange(low, len(data) - length - 2) for _ in range(count)]
    return [data[:at] + bytes(length) + data[at + length :] for at in starts]


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_with_zeros_in_its_scan(tmp_path, kind):
    mode = {"grey": "L", "CMYK": "CMYK"}.get(kind, "RGB")
    data = saved(photograph(mode), "JPEG", quality=95, **JPEGS[kind])
    damaged = zeroed(data, data.index(b"\xff\xda") + 14, 512, 20)
    assert unseen(tmp_path / "a.jpg", data, damaged) == 0


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_whose_flat_regions_are_zeros(tmp_path, mode, options):
    alpha = np.pad(disc(200, 200), 400)
    data = saved(Image.fromarray(alpha).convert(mode), "JPEG", quality=100, **options)
    assert not options or bytes(256) in data
    (tmp_path / "a.jpg").write_bytes(data)
    assert (
        np.abs(decode(tmp_path / "a.jpg").reshape(1000, 1000, -1)[..., 0] - 0.0 - alpha).max() < 9
    )


@pytest.mark.parametrize("mode, compression", TIFFS)
def test_a_compressed_tiff_with_zeros_or_an_end_that_is_missing(tmp_path, mode, compression, capfd):
    data = saved(photograph(mode), "TIFF", compression=compression, strip_size=9999)
    damaged = zeroed(data, 400, 300) + [data[: len(data) * k // 9] for k in range(1, 9)]
    assert unseen(tmp_path / "a.tif", data, damaged) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_uncompressed_tiff_that_is_cut_or_whose_strip_lies_elsewhere(tmp_path, dtype):
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (9, 14, 3)).astype(dtype)
    data = tiff(path, pixels).read_bytes()
    at = data.index(b"\x11\x01\x04\x00\x01\x00\x00\x00") + 8  # where its strip begins
    moved = [data[:at] + bytes((k,)) + data[at + 1 :] for k in (0, 4, 255)]
    cut = saved(Image.fromarray(np.zeros((9, 14), np.uint8)), "TIFF")
    assert unseen(path, data, moved) == 0
    assert unseen(path, cut, [cut[:-1], cut[:-70], cut[:-126]]) == 0


def test_a_tiff_whose_strips_overlap_or_are_too_few(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 50), np.uint8)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 1, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 16]
    data = cv2.imencode(".tif", noise, options)[1].tobytes()
    places = b"".join((8 + 800 * k).to_bytes(4, "little") for k in range(4))
    at = data.index(places)
    damaged = [data[: at + 4] + (200).to_bytes(4, "little") + data[at + 8 :]]
    entry = data.index(b"\x11\x01\x04\x00\x04") + 4
    damaged.append(data[:entry] + b"\x03" + data[entry + 1 :])
    path = tmp_path / "a.tif"
    assert unseen(path, data, damaged) == 0
    path.write_bytes(damaged[0])
    assert refused(decode, path) == f"{path}: {DAMAGED}"


@pytest.mark.parametrize("kind", ["BMP", "WEBP"])
def test_a_bmp_or_webp_that_is_cut(tmp_path, kind):
    for mode in ("RGB", "RGBA", "L"):
        data = saved(photograph(mode), kind)
        cut = [data[: len(data) * k // 20] for k in range(20)] + [data[:-1]]
        assert unseen(tmp_path / "a.bmp", data, cut) == 0


def runs(grey: np.ndarray) -> bytes:
    """A BMP of runs."""
    content = b""
    for row in grey[::-1]:
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        for start, count in zip(starts, np.diff(starts, append=len(row)), strict=True):
            content += bytes((count, row[start]))
        content += b"\0\0"
    content += b"\0\1"
    height, width = grey.shape
    palette = bytes(level * (i < 3) for level in range(256) for i in range(4))
    sizes = (40, width, height, 1, 8, 1, len(content), 0, 0, 256, 0)
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIII", b"BM", start + len(content), 0, start)
    return head + struct.pack("<IiiHHIIiiII", *sizes) + palette + content


def test_a_bmp_of_runs_with_zeros_or_an_end_that_is_missing(tmp_path):
    grey = (disc(*SIZE).astype(int) // 16 * 16)[:, :200]
    data = runs(grey)
    (tmp_path / "a.bmp").write_bytes(data)
    assert np.array_equal(read_image(tmp_path / "a.bmp")[..., 0], grey)
    ends = [data[:at] + data[-2:] for at in range(1300, len(data) - 6, 101)]
    assert unseen(tmp_path / "a.bmp", data, zeroed(data, 1100, 512) + ends) == 0
