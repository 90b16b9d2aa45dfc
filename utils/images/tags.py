"""The tags of a TIFF or BigTIFF that say how its pixels are stored."""

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, COLOURS, ORIENTATION = 256, 257, 258, 262, 274
CHANNELS, PLANES, EXTRA, SAMPLES = 277, 284, 338, 339
COMPRESSION, FILL_ORDER, ROWS, TILE_WIDTH, TILE_HEIGHT = 259, 266, 278, 322, 323
STRIP_PLACES, STRIP_SIZES, TILE_PLACES, TILE_SIZES, JPEG_TABLES = 273, 279, 324, 325, 347
LISTS = (STRIP_PLACES, STRIP_SIZES, TILE_PLACES, TILE_SIZES, JPEG_TABLES)  # may be long
READ = (
    *(WIDTH, HEIGHT, BITS, COLOURS, ORIENTATION, CHANNELS, PLANES, EXTRA, SAMPLES),
    *(COMPRESSION, FILL_ORDER, ROWS, TILE_WIDTH, TILE_HEIGHT, *LISTS),
)
BLACK_IS_ZERO, RGB, YCBCR = 1, 2, 6
FORMS = {1: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}  # of the tags that are read here


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
        if kind in FORMS and tag in READ:
            form = f"{order}{length if tag in LISTS else min(length, 64)}{FORMS[kind]}"
            if struct.calcsize(form) > inline:
                (place,) = struct.unpack_from(order + offset, data, place)
            found[tag] = Tag(struct.unpack_from(form, data, place), place, form)
        at += 4 + 2 * inline
    if not all(tag in found and found[tag].values for tag in (WIDTH, HEIGHT)):
        raise ValueError("no size")
    return found


def first(found: dict[int, Tag], tag: int, default: int) -> int:
    """The first value of a tag, or what counts where it is missing."""
    return found[tag].values[0] if tag in found and found[tag].values else default


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
