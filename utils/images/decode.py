"""The one decoder of pictures: the pixels that a file holds, or one line that says why not.

EXIF orientation is never applied: pictures, mattes and trimaps are taken as their pixels are
stored, so that the files of one picture cannot be turned differently.
"""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from models.errors import InputError

# What it has to say about a file we cannot use, we say ourselves, in one line.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
Image.MAX_IMAGE_PIXELS = None  # OpenCV has its own limit

# The reduced forms would turn a picture by its EXIF orientation, and the whole one would not.
SHRUNK = {
    1: cv2.IMREAD_UNCHANGED,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
TIFF_STARTS = (b"II*\0", b"MM\0*")
JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
JPEG_SCAN = 0xDA
PILLOW_ERRORS = (OSError, ValueError, SyntaxError)


def decode(path: Path | str, shrink: int = 1) -> np.ndarray:
    """The pixels of a picture as they are stored: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Of any depth that OpenCV reads; palettes are expanded.

    Args:
        shrink: 1, 2, 4 or 8; a JPEG is decoded at a size that many times smaller, which is faster.

    Raises:
        InputError: the file is missing, unreadable, truncated or no picture.
    """
    path = Path(path)
    data = _read(path)
    flags = cv2.IMREAD_UNCHANGED
    try:
        if data.startswith(PNG_SIGNATURE):
            data = _plain_png(data)
        elif data.startswith(JPEG_START):
            _check_jpeg(data)
            flags = SHRUNK[shrink]
    except (struct.error, IndexError, ValueError):
        raise InputError(f"{path}: the file is truncated or damaged; copy it again") from None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise InputError(f"{path}: not a whole picture; save it again as PNG or JPEG")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint8 and data.startswith(TIFF_STARTS):
        straight = _tiff_with_alpha(data)
        if straight is not None:
            return straight
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            raise InputError(f"{path}: a TIFF of other colours than RGB; save it as PNG")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] not in (3, 4):
        raise InputError(f"{path}: it has {pixels.shape[2]} channels; save it as RGB or grey PNG")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise unfit_depth(path, pixels)
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(pixels, code)


def size_in_header(path: Path) -> tuple[int, int] | None:
    """The (height, width) that the header of a picture tells; None where it cannot be read so.

    Pillow refuses a PNG with a broken colour profile, which `decode` reads.

    Raises:
        InputError: no such file.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise _missing(path) from None
    except PILLOW_ERRORS:
        return None


def unfit_depth(path: Path | str, pixels: np.ndarray) -> InputError:
    """The error of a picture whose pixels are of a kind that is not used."""
    return InputError(
        f"{path}: its pixels are {pixels.dtype}; save it with 8 or 16 bits per channel"
    )


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not data:
        raise InputError(f"{path}: the file is empty; copy it again")
    return data


def _missing(path: Path) -> InputError:
    return InputError(f"{path}: no such file; check the name")


def _tiff_with_alpha(data: bytes) -> np.ndarray | None:
    """The pixels of an 8-bit TIFF with an alpha channel; None of others.

    OpenCV multiplies its colours by that, and of a grey one leaves the alpha channel out.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGBA")) if "A" in image.getbands() else None
    except PILLOW_ERRORS:
        return None


def _plain_png(data: bytes) -> bytes:
    """The chunks of a PNG that hold pixels; raises unless they are all there and undamaged.

    libpng would write its complaints to stderr, about colour profiles as about damage.
    """
    chunks = [PNG_SIGNATURE]
    at = len(PNG_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        kind = data[at + 4 : at + 8]
        if kind in PNG_CHUNKS:
            (checksum,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(data[at + 4 : end]) != checksum:
                raise ValueError("damaged")
            chunks.append(data[at : end + 4])
        at = end + 4
    return b"".join(chunks)


def _check_jpeg(data: bytes) -> None:
    """Raise unless an end marker follows the first scan; OpenCV fills what is missing with grey."""
    at = len(JPEG_START)
    while data[at + 1] != JPEG_SCAN:
        if data[at] != 0xFF:
            raise ValueError("damaged")
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
    data.rindex(JPEG_END, at)  # from the end, where it is
