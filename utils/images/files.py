"""Strict reading and writing of pictures, mattes and trimaps: right, or one line that says why not.

EXIF orientation is never applied: pictures, mattes and trimaps are taken as their pixels are
stored, so that the files of one picture cannot be turned differently.
"""

import io
import logging
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from models.atomic import atomic
from models.errors import InputError
from utils.images.trimap import UNKNOWN

log = logging.getLogger(__name__)
# What it has to say about a file we cannot use, we say ourselves, in one line.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
Image.MAX_IMAGE_PIXELS = None  # only headers are read with it

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
GREY_TOLERANCE = 8  # channels of a grey matte may differ by this much, as lossy formats make them
TRIMAP_TOLERANCE = 16  # a value this near to 0, 128 or 255 is that level, blurred by a lossy format
STRAY_SHARE = 0.01  # a trimap has no more pixels than this that are near no level


def read_image(path: Path | str, shrink: int = 1) -> np.ndarray:
    """A picture as uint8 (H, W, 3), RGB.

    Grey becomes RGB, a palette is expanded, 16 bits are scaled to 8, an alpha channel is ignored.

    Args:
        shrink: 1, 2, 4 or 8; a JPEG is decoded at a size that many times smaller, which is faster.

    Raises:
        InputError: the file is missing, unreadable, truncated or no picture.
    """
    pixels = _decode(Path(path), shrink)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)


def read_alpha(path: Path | str) -> np.ndarray:
    """A matte as uint8 (H, W), 0 background to 255 foreground.

    Grey, grey saved as colour (R = G = B), palettes and 1 to 16 bits are read right. Of a file with
    an alpha channel, that channel is the matte (a cut-out), unless it is the same everywhere (an
    opaque picture of a matte), when the grey of the picture is.

    Raises:
        InputError: as `read_image`; also a picture with real colours, and one whose grey and
            alpha channel would be two different mattes.
    """
    path = Path(path)
    pixels = _decode(path)
    if pixels.ndim == 2:
        return pixels
    colour = pixels[..., :3]
    spread = int((colour.max(axis=2) - colour.min(axis=2)).max())
    grey = colour[..., 1]
    if pixels.shape[2] == 4 and np.ptp(pixels[..., 3]):
        alpha = pixels[..., 3]
        seen = grey[alpha > 0]  # what is invisible may have been set to black
        if spread <= GREY_TOLERANCE and np.ptp(seen) and np.any(seen != alpha[alpha > 0]):
            raise InputError(
                f"{path}: its grey and its alpha channel are two different mattes; "
                "save the right one alone as a grey PNG"
            )
        return np.ascontiguousarray(alpha)
    if spread > GREY_TOLERANCE:
        raise InputError(
            f"{path}: a matte must be grey, but this picture has colours (channels differ by up to "
            f"{spread}); save the matte as a grey PNG"
        )
    return np.ascontiguousarray(grey)


def read_trimap(path: Path | str) -> np.ndarray:
    """A trimap as uint8 (H, W) that holds only 0 (background), 128 (unknown) and 255 (foreground).

    Other values are snapped to the nearest level, with one warning for the file.

    Raises:
        InputError: as `read_alpha`; also when too many pixels are near none of the three levels
            (more than 1 % of the picture, or more than are unknown), as in a matte.
    """
    path = Path(path)
    grey = read_alpha(path)
    if 0 < grey.max() <= 2:
        raise InputError(
            f"{path}: its values are 0 to {grey.max()}, but a trimap is 0, 128 and 255; "
            "save it with these"
        )
    trimap = np.full_like(grey, UNKNOWN)
    trimap[grey < 64] = 0
    trimap[grey >= 192] = 255
    distance = cv2.absdiff(grey, trimap)
    off = np.count_nonzero(distance)
    if not off:
        return trimap
    stray = np.count_nonzero(distance > TRIMAP_TOLERANCE)
    unknown = np.count_nonzero((trimap == UNKNOWN) & (distance <= TRIMAP_TOLERANCE))
    if stray > min(STRAY_SHARE * grey.size, unknown):
        raise InputError(
            f"{path}: no trimap, {_share(stray, grey.size)} of its pixels are far from 0, 128 and "
            "255; is it a matte? (resize trimaps with nearest neighbour and save them as PNG)"
        )
    log.warning(
        "%s: %d pixels (%s) are not 0, 128 or 255; snapped to the nearest of these",
        path,
        off,
        _share(off, grey.size),
    )
    return trimap


def require_unknown(path: Path | str, trimap: np.ndarray) -> None:
    """Raise an `InputError` that names `path` when `trimap` (H, W) has no unknown pixel."""
    if not np.any(trimap == UNKNOWN):
        raise InputError(
            f"{path}: the trimap has no unknown pixels (128), so there is nothing to matte; "
            "mark the border of the foreground with 128"
        )


def write_image(path: Path | str, array: np.ndarray) -> None:
    """Save uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA as PNG or JPEG, by the suffix.

    Raises:
        InputError: another suffix, a full disk, a folder that cannot be written; the final name
            then holds what it held before.
    """
    path = Path(path)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise ValueError(f"expected uint8 (H, W) or (H, W, C), got {array.dtype} {array.shape}")
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"{path}: pictures are saved as .png or .jpg; choose one of these")
    if array.ndim == 3:
        code = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[array.shape[2]]
        array = cv2.cvtColor(array, code)
    # Not cv2.imwrite: it does not say when the disk is full.
    _, data = cv2.imencode(suffix, array)
    with atomic(path) as temporary:
        temporary.write_bytes(data.tobytes())


def list_images(folder: Path | str, problems: list[str] | None = None) -> dict[str, Path]:
    """The pictures of a folder, `{stem: path}`, sorted by name; hidden files are passed over.

    Args:
        problems: where to put all that is wrong, instead of raising the first of it.

    Raises:
        InputError: no such folder, no picture in it, or two pictures of the same stem.
    """
    folder = Path(folder)
    images: dict[str, Path] = {}
    if not folder.is_dir():
        complain(f"{folder}: no such folder; make it and put pictures into it", problems)
        return images
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        if path.stem != path.stem.strip() or not path.stem.isprintable():
            complain(
                f"{folder}: {path.name!r} begins or ends with a blank, or holds characters that "
                "no list of names can; rename it",
                problems,
            )
        first = images.setdefault(path.stem, path)
        if first is not path:
            complain(
                f"{folder}: {first.name} and {path.name} have the same name; remove one", problems
            )
    if not images:
        complain(f"{folder}: no pictures in it ({', '.join(IMAGE_SUFFIXES)}); add some", problems)
    return images


def complain(problem: str, problems: list[str] | None) -> None:
    """Raise an `InputError` of `problem`, or add it to `problems` where they are collected."""
    if problems is None:
        raise InputError(problem)
    problems.append(problem)


def image_size(path: Path | str) -> tuple[int, int]:
    """The (height, width) of a picture, from its header where that is whole.

    Raises:
        InputError: the file is missing or no picture.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except (OSError, ValueError, SyntaxError):
        # Pillow refuses a PNG with a broken colour profile, which we read.
        return read_image(path).shape[:2]


def check_same_size(
    path_a: Path | str, array_a: np.ndarray, path_b: Path | str, array_b: np.ndarray
) -> None:
    """`check_sizes` of two pictures."""
    check_sizes(path_a, array_a.shape[:2], path_b, array_b.shape[:2])


def check_sizes(
    path_a: Path | str, size_a: tuple[int, int], path_b: Path | str, size_b: tuple[int, int]
) -> None:
    """Raise an `InputError` that names both files unless their (height, width) are the same."""
    if size_a == size_b:
        return
    cure = "make them the same size"
    if size_a == size_b[::-1]:
        cure = "turn one of them (an EXIF orientation is not applied)"
    told = [
        f"{path} is {width} x {height}"
        for path, (height, width) in ((path_a, size_a), (path_b, size_b))
    ]
    raise InputError(f"{', but '.join(told)}; {cure}")


def _share(count: int, size: int) -> str:
    return f"{100 * count / size:.2g} %"


# --- decoding ---------------------------------------------------------------------------------


def _decode(path: Path, shrink: int = 1) -> np.ndarray:
    """The stored pixels as uint8 (H, W), (H, W, 3) BGR or (H, W, 4) BGRA."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not data:
        raise InputError(f"{path}: the file is empty; copy it again")
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
    if pixels.ndim == 3 and pixels.shape[2] == 4 and data.startswith(TIFF_STARTS):
        pixels = _straight_tiff(path, data)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise InputError(
            f"{path}: its pixels are {pixels.dtype}; save it with 8 or 16 bits per channel"
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        raise InputError(f"{path}: it has {pixels.shape[2]} channels; save it as RGB or grey PNG")
    return pixels


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


def _straight_tiff(path: Path, data: bytes) -> np.ndarray:
    """The stored pixels of a TIFF with an alpha channel; OpenCV multiplies its colours by that."""
    with Image.open(io.BytesIO(data)) as image:
        if image.mode != "RGBA":
            raise InputError(f"{path}: a TIFF of {image.mode} with alpha; save it as PNG")
        return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGBA2BGRA)


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
