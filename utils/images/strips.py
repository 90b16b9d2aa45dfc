"""Are the strips or tiles of a TIFF whole? Decoders stop when a strip is full."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from utils.images import tags
from utils.images.tags import Tag, first
from utils.images.wholeness import check_jpeg

PLAIN, JPEG, PACKBITS = 1, 7, 32773
DEFLATE = (8, 32946)
PADDING = 3  # bytes that a writer may add to a strip


class _Strip(NamedTuple):
    start: int
    size: int
    least: int  # bytes of its pixels
    most: int  # with rows below the picture, which a writer may have filled


def require_whole(data: bytes, found: dict[int, Tag]) -> None:
    """Raise unless strips lie inside the file, apart from each other, and hold what they should.

    Args:
        found: the `tags` of `data`.

    Raises:
        ValueError, IndexError or struct.error: it is damaged.
    """
    compression = first(found, tags.COMPRESSION, PLAIN)
    tables = bytes(found[tags.JPEG_TABLES].values) if tags.JPEG_TABLES in found else b""
    last, end = None, 8  # of the header
    for one in sorted(set(_strips(found, compression))):
        if not one.size:  # left out, as empty places may be
            continue
        stored = data[one.start : one.start + one.size]
        overlaps = one.start != last and one.start < end  # equal ones may be stored once
        if overlaps or len(stored) < one.size:
            raise ValueError("strips overlap, or lie outside the file")
        last, end = one.start, one.start + one.size - PADDING
        if compression in DEFLATE:
            _require_inflated(stored, one)
        elif compression == PACKBITS and first(found, tags.FILL_ORDER, 1) == 1:
            _require_unpacked(stored, one)
        elif compression == JPEG:
            check_jpeg(tables[:-2] + stored[2:] if tables else stored)


def _strips(found: dict[int, Tag], compression: int) -> Iterator[_Strip]:
    height, width = (first(found, tag, 0) for tag in (tags.HEIGHT, tags.WIDTH))
    tiled = tags.TILE_PLACES in found
    if tiled:
        rows, columns = (first(found, tag, 0) for tag in (tags.TILE_HEIGHT, tags.TILE_WIDTH))
        places, sizes = tags.TILE_PLACES, tags.TILE_SIZES
    else:
        rows, columns = min(first(found, tags.ROWS, height), height), width
        places, sizes = tags.STRIP_PLACES, tags.STRIP_SIZES
    if not (rows and columns and places in found):
        raise ValueError("no strips")
    down, across = -(-height // rows), -(-width // columns)
    channels = first(found, tags.CHANNELS, 1)
    apart = channels if first(found, tags.PLANES, 1) == 2 else 1
    starts = found[places].values
    lengths = found[sizes].values if sizes in found else ()
    if len(starts) < down * across * apart:
        raise ValueError("too few strips")
    row = -(-columns * first(found, tags.BITS, 1) * channels // apart // 8)
    # Of fewer bytes, in blocks that may reach over an edge.
    mixed = first(found, tags.COLOURS, tags.BLACK_IS_ZERO) == tags.YCBCR
    for number, start in enumerate(starts[: down * across * apart]):
        here = rows if tiled else min(rows, height - number % down * rows)
        least, most = (0, 8 * row * rows) if mixed else (row * here, row * rows)
        told = lengths[number] if number < len(lengths) else 0
        # Without compression, what is told besides may be wrong, and is not needed.
        yield _Strip(start, least if compression == PLAIN and least and told else told, least, most)


def _require_inflated(stored: bytes, strip: _Strip) -> None:
    stream = zlib.decompressobj()
    try:
        count = len(stream.decompress(stored, min(strip.most, 1 << 31) + 1))
        if count <= strip.most:
            stream.decompress(stream.unconsumed_tail, 1)  # to its checksum
    except zlib.error as error:
        raise ValueError("damaged") from error
    if not strip.least <= count <= strip.most:
        raise ValueError("other than its pixels")


def _require_unpacked(stored: bytes, strip: _Strip) -> None:
    at = count = 0
    while at < len(stored) and count < strip.most:
        if count == strip.least and len(stored) - at <= PADDING:
            return
        packet = stored[at]
        literal = packet < 128
        at += packet + 2 if literal else 1 if packet == 128 else 2
        count += packet + 1 if literal else 0 if packet == 128 else 257 - packet
    if not strip.least <= count <= strip.most or not -1 < len(stored) - at <= PADDING:
        raise ValueError("other than its pixels")
