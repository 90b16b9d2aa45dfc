"""What the tags of a TIFF say of its pixels, and what decoders would make of them otherwise."""

import io
import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, COLOURS, ORIENTATION = 256, 257, 258, 262, 274
CHANNELS, PLANES, EXTRA, SAMPLES = 277, 284, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
OTHER_COLOURS = {5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
UNSPECIFIED, ASSOCIATED, STRAIGHT = 0, 1, 2  # what an extra channel is
UNSIGNED = 1  # samples
FORMS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # of the tags that are read here


class Tag(NamedTuple):
    """The values of a tag, and where and how they are stored."""

    values: tuple[int, ...]
    at: int
    form: str


def tags(data: bytes | mmap.mmap) -> dict[int, Tag]:
    """The tags of the first picture of a TIFF or BigTIFF whose values are whole numbers.

    Raises:
        ValueError, IndexError or struct.error: the file is damaged.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    offset, inline = ("Q", 8) if big else ("I", 4)
    (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    count_form = "Q" if big else "H"
    (count,) = struct.unpack_from(order + count_form, data, at)
    at += struct.calcsize(order + count_form)
    found = {}
    for _ in range(min(count, 4096)):
        tag, kind, length = struct.unpack_from(f"{order}HH{offset}", data, at)
        place = at + 4 + inline
        if kind in FORMS and tag in (
            *(WIDTH, HEIGHT, BITS, COLOURS, ORIENTATION),
            *(CHANNELS, PLANES, EXTRA, SAMPLES),
        ):
            form = f"{order}{min(length, 64)}{FORMS[kind]}"
            if struct.calcsize(form) > inline:
                (place,) = struct.unpack_from(order + offset, data, place)
            found[tag] = Tag(struct.unpack_from(form, data, place), place, form)
        at += 4 + 2 * inline
    if not all(tag in found and found[tag].values for tag in (WIDTH, HEIGHT)):
        raise ValueError("no size")
    return found


def size(path: Path) -> tuple[int, int] | None:
    """The (height, width) of the pixels as they are stored; None of what is no whole TIFF."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            if data[:4] not in STARTS:
                return None
            found = tags(data)
            return found[HEIGHT].values[0], found[WIDTH].values[0]
    except (OSError, ValueError, IndexError, struct.error):
        return None


class Tiff:
    """The first picture of a TIFF, and the few things that decide how it must be decoded.

    Raises:
        ValueError, IndexError or struct.error: the file is damaged.
    """

    def __init__(self, data: bytes) -> None:
        found = tags(data)

        def first(tag: int, default: int) -> int:
            return found[tag].values[0] if tag in found and found[tag].values else default

        self._bits, self._channels = first(BITS, 1), first(CHANNELS, 1)
        self._colours, self._planes = first(COLOURS, BLACK_IS_ZERO), first(PLANES, 1)
        own = 3 if self._colours in (RGB, YCBCR) else 1
        # Some programs, OpenCV among them, leave out what a fourth channel is.
        self._alpha = first(EXTRA, STRAIGHT if own == 3 else ASSOCIATED) or STRAIGHT
        self._has_alpha = self._channels == own + 1
        # OpenCV turns 8 bits round itself.
        self.white_is_zero = self._colours == WHITE_IS_ZERO and self._bits > 8
        # Which Pillow, that reads their alpha channels, does not know.
        self._unknown = data.startswith(b"MM\0+")
        self._unsigned = first(SAMPLES, UNSIGNED) == UNSIGNED
        self.data = _neutral(data, found)

    def fault(self) -> str | None:
        """Why it would be decoded wrong, if it would be, and what to do."""
        deep = self._bits > 8
        if self._colours in OTHER_COLOURS:
            return f"a TIFF in {OTHER_COLOURS[self._colours]} colours; save it as RGB or grey"
        if self._colours > YCBCR or (self._colours == YCBCR and deep):
            return "a TIFF of other colours than RGB and grey; save it as PNG"
        if self._bits not in (1, 2, 4, 8, 16, 32, 64):
            return f"a TIFF of {self._bits} bits per channel; save it with 8 or 16"
        if deep and self._planes > 1 and self._channels > 1:
            return "a TIFF that stores its channels one after the other; save it as PNG"
        if self._channels == 2 and (deep or self._alpha != STRAIGHT):
            return "a grey TIFF with a second channel; save it as PNG"
        if self._has_alpha and self._unknown:
            return "a big-endian BigTIFF with an alpha channel; save it as PNG"
        if deep and self._has_alpha and self._alpha == ASSOCIATED:
            return "a TIFF whose colours are multiplied by alpha; save it with straight alpha"
        if self.white_is_zero and not (self._bits == 16 and self._unsigned):
            return "a TIFF in which white is 0; save it with 0 for black"
        return None

    def with_alpha(self) -> np.ndarray | None:
        """Its pixels (H, W, 4) where it has 8 bits and an alpha channel; None of others.

        OpenCV multiplies the colours by that, and of a grey one leaves the alpha channel out.
        """
        if self._bits != 8 or not self._has_alpha:
            return None
        with Image.open(io.BytesIO(self.data)) as image:
            if "A" not in image.getbands():
                raise ValueError("no alpha channel")
            return np.asarray(image.convert("RGBA"))


def _neutral(data: bytes, found: dict[int, Tag]) -> bytes:
    """The same file without an orientation, by which decoders would turn it.

    An extra channel that is not said to be anything becomes an alpha channel.
    """
    changed = bytearray(data)
    for tag, old, new in ((ORIENTATION, range(2, 9), 1), (EXTRA, (UNSPECIFIED,), STRAIGHT)):
        if tag in found and found[tag].values[:1] and found[tag].values[0] in old:
            values = (new, *found[tag].values[1:])
            struct.pack_into(found[tag].form, changed, found[tag].at, *values)
    return bytes(changed)
