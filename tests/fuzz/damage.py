"""Bytes, texts and pictures that are damaged, or right but unusual."""

import io
import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "255", "65536", "1e-5", "1e400", "-1e9", "nan", "inf", "-inf"),
    *("9" * 20, "9" * 5000, "0x10", "0b_", "1_000", "1:30", "007", "٣", "1.5", " 1", "+1", ""),
)
WORDS = (
    *("null", "true", "[]", "{}", "[1,2]", "[[1]]", "{a: 1}", "!!int x", "!!python/name:os.system"),
    *("&a [*a]", "*a", "~", "'", '"', "[", "{", "|", ">", "# x", "a: b", "- a", "2020-01-01", "%"),
    *(
        "..",
        "../..",
        "/",
        ".",
        "a/b",
        "Käfer",
        "\u00a0",
        "\u2028",
        "x" * 300,
        "\\",
        "a\\b",
        "=",
        "*",
    ),
    *(
        "--",
        "-x",
        "cpu",
        "cuda",
        "cuda:99",
        "meta",
        "dim",
        "sample",
        "\ufeff",
        "\U0001f41e",
        "a\tb",
    ),
)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few faults, as disks, networks and programs make them."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        size = len(content)
        at = rng.randrange(size + 1)
        length = rng.choice((1, 2, 4, 16, 256, size))
        fault = rng.randrange(8)
        if fault == 0:
            del content[at:]
        elif fault == 1:
            del content[at : at + length]
        elif fault == 2:
            content[at : at + length] = bytes(min(length, size - at))
        elif fault == 3:
            content[at:at] = rng.randbytes(length % 300)
        elif fault == 4:
            content[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")
            )
        elif fault == 5 and size:
            content[at:at] = content[: length % 4096]
        elif size:  # most often: a few bits, near the start where the headers are
            for _ in range(rng.choice((1, 1, 3, 20))):
                place = rng.randrange(min(size, rng.choice((16, 128, size))))
                content[place] ^= 1 << rng.randrange(8)
    return bytes(content)


def text(rng: random.Random, lines: list[str]) -> str:
    """A text of lines, with words and numbers of the lists above among and in them."""
    lines = list(lines)
    for _ in range(rng.choice((1, 1, 2, 4))):
        new = rng.choice((*NUMBERS, *WORDS))
        place = rng.randrange(len(lines) + 1)
        change = rng.randrange(5)
        if change == 0 or place == len(lines):
            lines.insert(place, new)
        elif change == 1:
            lines[place] = new
        elif change == 2:
            lines.insert(place, lines[place])
        elif change == 3:
            head, colon, _ = lines[place].partition(":")
            lines[place] = f"{head}{colon} {new}"
        else:
            lines[place] = new + lines[place]
    return rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n")).join(lines)


def encoded(rng: random.Random, content: str) -> bytes:
    """A text in some encoding."""
    kind = rng.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "latin-1", "utf-32"))
    return content.encode(kind, "replace")


def array(rng: random.Random, height: int, width: int) -> bytes:
    """A .npy file of some shape and type, or an archive of arrays."""
    shape = rng.choice(
        (
            *((height, width), (1, 1, height, width), (height, width, 1), (height, width, 3)),
            *((width, height), (1, height), (height,), (), (0, width), (1,) * 40),
        )
    )
    dtype = rng.choice(
        ("f4", "f8", "f2", "u1", "i8", "?", "c8", "S3", ">f4", "V5", "f8,i4", "M8[s]")
    )
    values = np.zeros(shape, dtype)
    if values.dtype.kind == "f" and values.size:
        values += rng.choice((0, 0.5, 1, 255, np.nan, np.inf, -1e-9))
    buffer = io.BytesIO()
    if rng.random() < 0.1:
        np.savez(buffer, values)
    else:
        np.save(buffer, values)
    return buffer.getvalue()


def picture(rng: random.Random, height: int, width: int) -> tuple[bytes, str]:
    """A picture of some format, depth and mode, and its suffix; seldom of another size."""
    if rng.random() < 0.1:
        height, width = rng.choice(((1, 1), (width, height), (1, 4000), (height + 1, width)))
    shape = rng.choice(((height, width), (height, width, 3), (height, width, 4)))
    values = np.random.default_rng(rng.randrange(99)).integers(0, 256, shape, np.uint8)
    return rng.choice((_by_pillow, _by_opencv))(rng, values)


def _by_opencv(rng: random.Random, values: np.ndarray) -> tuple[bytes, str]:
    suffix, dtype = rng.choice(
        (
            *((".png", "u1"), (".png", "u2"), (".tif", "f4"), (".tif", "f8"), (".tif", "u2")),
            *((".tif", "i2"), (".bmp", "u1"), (".webp", "u1"), (".jpg", "u1"), (".tif", "i1")),
        )
    )
    try:
        return cv2.imencode(suffix, values.astype(dtype))[1].tobytes(), suffix
    except cv2.error:
        return b"", suffix


def _by_pillow(rng: random.Random, values: np.ndarray) -> tuple[bytes, str]:
    kinds: dict[str, tuple[str, ...]] = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "I", "F", "I;16"),
        "JPEG": ("L", "RGB", "CMYK"),
        "GIF": ("P",),
        "WEBP": ("RGB", "RGBA"),
    }
    format_ = rng.choice(list(kinds))
    image, mode = Image.fromarray(values), rng.choice(kinds[format_])
    options: dict = {"exif": _turned()} if rng.random() < 0.2 else {}
    if format_ == "TIFF":
        options["compression"] = rng.choice((None, "tiff_lzw", "tiff_adobe_deflate", "packbits"))
    buffer = io.BytesIO()
    convert: Callable[[str], Image.Image] = image.convert
    try:
        convert(mode).save(buffer, format_, **options)
    except (OSError, ValueError, KeyError):
        image.convert("RGB").save(buffer, format_)
    suffixes = (".png", ".tif", ".jpg", ".webp", ".bmp", ".gif", ".PNG", ".jpeg")
    own = {"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg", "GIF": ".gif", "WEBP": ".webp"}[format_]
    return buffer.getvalue(), rng.choice((own, own, own, rng.choice(suffixes)))


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
