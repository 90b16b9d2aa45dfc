"""TIFF files written bit by bit, so that no library decides what is in them."""

import struct
from pathlib import Path

import numpy as np

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
ASSOCIATED, UNASSOCIATED = 1, 2
FORMATS = {"u": 1, "i": 2, "f": 3}


def tiff(
    path: Path,
    pixels: np.ndarray,
    colours: int | None = None,
    extra: int | None = None,
    orientation: int | None = None,
    big: bool = False,
    order: str = "<",
    planes: bool = False,
    more: dict[int, int] | None = None,
) -> Path:
    """Write an array (H, W) or (H, W, C), in one strip, uncompressed.

    Args:
        colours: the photometric interpretation; None is grey for one or two channels, else RGB.
        extra: what the last channel is, where there is one more than colours.
        orientation: tag 274.
        big: a BigTIFF.
        order: of the bytes, "<" or ">".
        planes: one channel after the other.
        more: further tags, of one short each.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    kind = pixels.dtype
    if colours is None:
        colours = BLACK_IS_ZERO if channels < 3 else RGB
    stored = pixels.transpose(2, 0, 1) if planes else pixels
    data = stored.astype(kind.newbyteorder(order)).tobytes()
    start = 16 if big else 8
    tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [8 * kind.itemsize] * channels),
        259: ("H", [1]),
        262: ("H", [colours]),
        277: ("H", [channels]),
        278: ("I", [height]),
        284: ("H", [2 if planes else 1]),
        339: ("H", [FORMATS[kind.kind]] * channels),
        273: ("I", [start + i * (len(data) // channels) for i in range(channels if planes else 1)]),
        279: ("I", [len(data) // channels] * channels if planes else [len(data)]),
    }
    if orientation is not None:
        tags[274] = ("H", [orientation])
    if extra is not None:
        tags[338] = ("H", [extra])
    tags |= {tag: ("H", [value]) for tag, value in (more or {}).items()}
    head, count, offset = ("HHHQ", "Q", "Q") if big else ("HI", "H", "I")
    inline = 8 if big else 4
    at = start + len(data)
    entries, values = b"", b""
    end = at + struct.calcsize("=" + count) + len(tags) * (4 + 2 * inline) + inline
    for tag, (form, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        if len(packed) > inline:
            place = struct.pack(f"{order}{offset}", end + len(values))
            values += packed
        else:
            place = packed.ljust(inline, b"\0")
        entries += struct.pack(f"{order}HH{offset}", tag, {"H": 3, "I": 4}[form], len(numbers))
        entries += place
    begin = b"II" if order == "<" else b"MM"
    magic = (43, 8, 0, at) if big else (42, at)
    header = begin + struct.pack(order + head, *magic)
    directory = struct.pack(order + count, len(tags)) + entries + bytes(inline)
    path.write_bytes(header + data + directory + values)
    return path
