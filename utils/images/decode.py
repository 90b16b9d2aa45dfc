"""The one decoder of pictures: the pixels that a file holds, or one line that says why not.

EXIF orientation is never applied: pictures, mattes and trimaps are taken as their pixels are
stored, so that the files of one picture cannot be turned differently.
"""

import os
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from models.errors import InputError
from utils.disk.regular import require_regular
from utils.images import tags, wholeness
from utils.images.overheard import damage_raises
from utils.images.tiff import Tiff

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
PILLOW_ERRORS = (OSError, ValueError, SyntaxError)
LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS"


def decode(path: Path | str, shrink: int = 1) -> np.ndarray:
    """The pixels of a picture as they are stored: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Of any depth that OpenCV reads; palettes are expanded.

    Args:
        shrink: 1, 2, 4 or 8; a JPEG is decoded at a size that many times smaller, which is faster.

    Raises:
        InputError: the file is missing, unreadable, truncated or no picture.
    """
    path = Path(path)
    data = read_file(path)
    flags, inverted, picture = cv2.IMREAD_UNCHANGED, False, None
    try:
        if data.startswith(wholeness.PNG_START):
            data = wholeness.plain_png(data)
        elif data.startswith(wholeness.JPEG_START):
            wholeness.check_jpeg(data)
            flags = SHRUNK[shrink]
        elif data.startswith(wholeness.BMP_START):
            wholeness.check_bmp(data)
        elif data.startswith(tags.STARTS):
            picture = Tiff(data)
            if fault := picture.fault():
                raise InputError(f"{path}: {fault}")
            data, inverted = picture.data, picture.white_is_zero
        with damage_raises(opencv=picture is not None):
            pixels = _decoded(path, data, flags)
        if picture:
            with damage_raises():
                with_alpha = picture.with_alpha()
            if with_alpha is not None:
                return with_alpha
    except (struct.error, IndexError, *PILLOW_ERRORS):
        raise InputError(f"{path}: the file is truncated or damaged; copy it again") from None
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if inverted:
        pixels = np.iinfo(pixels.dtype).max - pixels
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

    Pillow refuses a PNG with a broken colour profile, which `decode` reads. It would turn the size
    of a TIFF by its orientation.

    Raises:
        InputError: no such file, or no file at all.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            if file.read(4) in tags.STARTS:
                return tags.size(path)
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise _missing(path) from None
    except PILLOW_ERRORS:
        return None


def read_file(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        InputError: the file is missing, unreadable or empty.
    """
    require_regular(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not data:
        raise InputError(f"{path}: the file is empty; copy it again")
    return data


def unfit_depth(path: Path | str, pixels: np.ndarray) -> InputError:
    """The error of a picture whose pixels are of a kind that is not used."""
    return InputError(
        f"{path}: its pixels are {pixels.dtype}; save it with 8 or 16 bits per channel"
    )


def _decoded(path: Path, data: bytes, flags: int) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is not None:
        return pixels
    height, width = size_in_header(path) or (0, 0)
    limit = os.environ.get(LIMIT, "")
    limit = int(limit) if limit.isdecimal() else 1 << 30
    if height * width > limit:
        told = "2^30" if limit == 1 << 30 else limit
        raise InputError(
            f"{path}: {width} x {height} is more than can be read ({told} pixels; {LIMIT}); "
            "make it smaller, or raise this limit in the environment"
        )
    raise InputError(f"{path}: not a whole picture; save it again as PNG or JPEG")


def _missing(path: Path) -> InputError:
    return InputError(f"{path}: no such file; check the name")
