"""Strict reading of pictures, mattes and trimaps: right, or one line that says why not."""

import math
from pathlib import Path

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.problems import warn_once
from utils.images.decode import decode
from utils.images.names import IMAGE_SUFFIXES, list_images
from utils.images.trimap import UNKNOWN

GREY_TOLERANCE = 8  # channels of a grey matte may differ by this much, as lossy formats make them
TRIMAP_TOLERANCE = 16  # a value this near to 0, 128 or 255 is that level, blurred by a lossy format
FLOAT_TOLERANCE = 1e-4  # a network's sums may leave [0, 1] by this much; more is another range
PADDED = (1023, 4095, 16383, 32767)  # the largest value of 10, 12, 14, 15 bits, stored in 16
STRAY_SHARE = 0.01  # a trimap has no more pixels than this that are near no level


def read_image(path: Path | str, shrink: int = 1) -> np.ndarray:
    """A picture as uint8 (H, W, 3), RGB.

    Grey becomes RGB, a palette is expanded, 16 bits are scaled to 8, an alpha channel is ignored.

    Args:
        shrink: 1, 2, 4 or 8; a JPEG is decoded at a size that many times smaller, which is faster.

    Raises:
        InputError: the file is missing, unreadable, truncated or no picture.
    """
    return _split(path, decode(path, shrink))[0]


def read_cutout(path: Path | str) -> tuple[np.ndarray, np.ndarray | None]:
    """The stored colours of a picture, uint8 (H, W, 3), and its alpha channel (H, W), if any.

    Raises:
        InputError: as `read_image`; also an alpha channel of another range of values.
    """
    pixels = decode(path)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        _require_range(path, pixels[..., 3])
    return _split(path, pixels)


def read_alpha(path: Path | str) -> np.ndarray:
    """A matte as uint8 (H, W), 0 background to 255 foreground.

    Grey, grey saved as colour (R = G = B), palettes and 1 to 16 bits are read right. Of a file with
    an alpha channel, that channel is the matte (a cut-out), unless it is the same everywhere (an
    opaque picture of a matte), when the grey of the picture is.

    Raises:
        InputError: as `read_image`; also a picture with real colours, one whose grey and alpha
            channel would be two different mattes, and one of another range of values, such as 0
            and 1 in 8 bits or 0 to 255 in 16.
    """
    return _alpha_of(path, decode(path))


def read_trimap(path: Path | str) -> np.ndarray:
    """A trimap as uint8 (H, W) that holds only 0 (background), 128 (unknown) and 255 (foreground).

    Other values are snapped to the nearest level, with one warning for the file.

    Raises:
        InputError: as `read_alpha`; also when too many pixels are near none of the three levels
            (more than 1 % of the picture, or more than are unknown), as in a matte.
    """
    stored = _grey_of(path, decode(path))
    if 0 < stored.max() <= 2:
        raise InputError(
            f"{path}: its values are 0 to {stored.max()}, but a trimap is 0, 128 and 255; "
            "save it with these"
        )
    _require_range(path, stored)
    grey = _in_8_bits(path, stored)
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
            f"{path}: no trimap, {100 * stray / grey.size:.2g} % of its pixels are far from 0, 128 "
            "and 255; is it a matte? (resize trimaps with nearest neighbour and save them as PNG)"
        )
    warn_once(
        f"{path}: {off} pixels ({100 * off / grey.size:.2g} %) are not 0, 128 or 255; "
        "snapped to the nearest of these"
    )
    return trimap


def read_matte(path: Path, exact: bool = False) -> np.ndarray:
    """A saved matte as uint8 (H, W), or with `exact` as it is, float64 (H, W) in [0, 1].

    Beside what `read_alpha` takes (8 bits count as k / 255, 16-bit grey as k / 65535), .npy arrays
    and grey TIFF files in floating point, 0 to 1.

    Raises:
        InputError: the file cannot be used; its values are not 0 to 1; or it has 16 bits and
            several channels, of which `exact` would have to choose one.
    """
    stored = _array(path) if _is_array(path) else decode(path)
    if stored.ndim == 2 and stored.dtype.kind == "f":
        matte = _in_unit_range(path, stored)
        return matte if exact else to_8_bits(matte)
    matte = _alpha_of(path, stored)
    if not exact:
        return matte
    if stored.dtype != np.uint16:
        return matte / 255
    if stored.ndim != 2:
        raise InputError(f"{path}: a 16-bit matte of several channels; save it as 16-bit grey")
    return stored / 65535


def list_mattes(folder: Path, problems: list[str] | None = None) -> dict[str, Path]:
    """The mattes of a folder as `list_images` lists them: pictures and .npy arrays."""
    return list_images(folder, problems, (*IMAGE_SUFFIXES, ".npy"))


def to_8_bits(matte: np.ndarray) -> np.ndarray:
    """What the 8-bit file of a matte in [0, 1] holds, uint8; a matte of 8 bits as it is."""
    return matte if matte.dtype == np.uint8 else np.rint(255 * matte).astype(np.uint8)


def to_float(matte: np.ndarray) -> np.ndarray:
    """A matte of 8 bits or in floating point as float64 in [0, 1]."""
    return matte / 255 if matte.dtype == np.uint8 else matte.astype(np.float64)


def require_unknown(path: Path | str, trimap: np.ndarray) -> None:
    """Raise an `InputError` that names `path` when `trimap` (H, W) has no unknown pixel."""
    if not np.any(trimap == UNKNOWN):
        raise InputError(
            f"{path}: the trimap has no unknown pixels (128), so there is nothing to matte; "
            "mark the border of the foreground with 128"
        )


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
    raise InputError(
        f"{path_a} is {size_a[1]} x {size_a[0]}, but {path_b} is {size_b[1]} x {size_b[0]}; {cure}"
    )


def _alpha_of(path: Path | str, pixels: np.ndarray) -> np.ndarray:
    matte = _grey_of(path, pixels)
    _require_range(path, matte)
    return _in_8_bits(path, matte)


def _split(path: Path | str, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Decoded pixels as 8-bit colours and alpha channel."""
    if pixels.dtype == np.uint16:
        _require_range(path, pixels if pixels.ndim == 2 else pixels[..., :3])
    pixels = _in_8_bits(path, pixels)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), None
    if pixels.shape[2] == 3:
        return pixels, None
    return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])


def _grey_of(path: Path | str, pixels: np.ndarray) -> np.ndarray:
    """The channel of decoded pixels that is the matte, (H, W), of their depth."""
    if pixels.ndim == 2:
        return pixels
    reduced = _in_8_bits(path, pixels)
    colour = reduced[..., :3]
    spread = int((colour.max(axis=2) - colour.min(axis=2)).max())
    if pixels.shape[2] == 4 and np.ptp(pixels[..., 3]):
        _require_range(path, pixels[..., 3])
        grey, alpha = colour[..., 1], reduced[..., 3]
        visible = grey[alpha > 0]  # what is invisible may have been set to black
        if spread <= GREY_TOLERANCE and np.ptp(visible) and np.any(visible != alpha[alpha > 0]):
            raise InputError(
                f"{path}: its grey and its alpha channel are two different mattes; "
                "save the right one alone as a grey PNG"
            )
        return np.ascontiguousarray(pixels[..., 3])
    if spread > GREY_TOLERANCE:
        raise InputError(
            f"{path}: a matte must be grey, but this picture has colours (channels differ by up to "
            f"{spread}); save the matte as a grey PNG"
        )
    return np.ascontiguousarray(pixels[..., 1])


def _require_range(path: Path | str, stored: np.ndarray) -> None:
    """Raise an `InputError` where all values are so small that they are of another range."""
    if stored.dtype not in (np.uint8, np.uint16):
        return
    top, full = int(stored.max()), np.iinfo(stored.dtype).max
    if 0 < top <= full // 255 or (full > 255 and top in PADDED):
        cure = "0 to 255" if full == 255 else f"0 to {full}, or with 8 bits"
        raise InputError(f"{path}: its values are 0 to {top}; save it as {cure}")


def _in_8_bits(path: Path | str, pixels: np.ndarray) -> np.ndarray:
    """Decoded pixels of 8 or 16 bits as uint8."""
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise InputError(
            f"{path}: its pixels are {pixels.dtype}; save it with 8 or 16 bits per channel"
        )
    return pixels


def _is_array(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def _array(path: Path) -> np.ndarray:
    """A (H, W) array, mapped, not read; leading and trailing axes of one are dropped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except Exception:  # a damaged header is read as Python, and fails in any way
        array = None
    if not isinstance(array, np.ndarray):  # an archive of arrays, .npz
        raise InputError(f"{path}: not a whole array; save it again with numpy.save")
    shape = array.shape
    while len(shape) > 2 and 1 in (shape[0], shape[-1]):
        shape = shape[1:] if shape[0] == 1 else shape[:-1]
    if len(shape) != 2 or not array.size or not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"{path}: {str(array.dtype)[:60]} {array.shape}; save a floating-point array "
            "(height, width)"
        )
    return array.reshape(shape)


def _in_unit_range(path: Path, values: np.ndarray) -> np.ndarray:
    """Floating-point values as float64, clipped to the [0, 1] in which they lie."""
    matte = np.array(values, np.float64)
    low, high = float(matte.min()), float(matte.max())
    divided = math.isclose(high, 1 / 255, rel_tol=1e-3)  # by 255 twice
    if divided or not (low >= -FLOAT_TOLERANCE and high <= 1 + FLOAT_TOLERANCE):  # or nan
        raise InputError(f"{path}: its values are {low:.4g} to {high:.4g}; save them as 0 to 1")
    return matte.clip(0, 1)
