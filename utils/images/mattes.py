"""Saved mattes, also in floating point: which files they are, what they hold, rounded or not."""

import math
from pathlib import Path

import numpy as np

from models.errors import InputError
from utils.disk.regular import require_regular
from utils.images.decode import decode
from utils.images.listing import list_images
from utils.images.names import IMAGE_SUFFIXES
from utils.images.reading import alpha_of
from utils.images.sizes import image_size

TOLERANCE = 1e-4  # a network's sums may leave [0, 1] by this much; more is another range of values


def list_mattes(folder: Path, problems: list[str] | None = None) -> dict[str, Path]:
    """The mattes of a folder as `list_images` lists them: pictures and .npy arrays."""
    return list_images(folder, problems, (*IMAGE_SUFFIXES, ".npy"))


def matte_size(path: Path) -> tuple[int, int]:
    """The (height, width) that the header of a matte tells.

    Raises:
        InputError: the file cannot be used.
    """
    return _array(path).shape if path.suffix.lower() == ".npy" else image_size(path)


def read_matte(path: Path, exact: bool = False) -> np.ndarray:
    """A matte as uint8 (H, W), or with `exact` as it is, float64 (H, W) in [0, 1].

    Beside what `read_alpha` takes (8 bits count as k / 255, 16-bit grey as k / 65535), .npy arrays
    and grey TIFF files in floating point, 0 to 1.

    Raises:
        InputError: the file cannot be used; its values are not 0 to 1; or it has 16 bits and
            several channels, of which `exact` would have to choose one.
    """
    if path.suffix.lower() == ".npy":
        matte = _checked(path, _array(path))
        return matte if exact else to_8_bits(matte)
    stored = decode(path)
    if stored.ndim == 2 and stored.dtype.kind == "f":
        matte = _checked(path, stored)
        return matte if exact else to_8_bits(matte)
    matte = alpha_of(path, stored)
    if not exact:
        return matte
    if stored.dtype != np.uint16:
        return matte / 255
    if stored.ndim != 2:
        raise InputError(f"{path}: a 16-bit matte of several channels; save it as 16-bit grey")
    return stored / 65535


def to_8_bits(matte: np.ndarray) -> np.ndarray:
    """What the 8-bit file of a matte in [0, 1] holds, uint8; a matte of 8 bits as it is."""
    return matte if matte.dtype == np.uint8 else np.rint(255 * matte).astype(np.uint8)


def to_float(matte: np.ndarray) -> np.ndarray:
    """A matte of 8 bits or in floating point as float64 in [0, 1]."""
    return matte / 255 if matte.dtype == np.uint8 else matte.astype(np.float64)


def _array(path: Path) -> np.ndarray:
    """A (H, W) array, mapped, not read; leading and trailing axes of one are dropped."""
    require_regular(path)
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


def _checked(path: Path, values: np.ndarray) -> np.ndarray:
    matte = np.array(values, np.float64)
    low, high = float(matte.min()), float(matte.max())
    divided = math.isclose(high, 1 / 255, rel_tol=1e-3)  # by 255 twice
    if divided or not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # nan is neither
        raise InputError(f"{path}: its values are {low:.4g} to {high:.4g}; save them as 0 to 1")
    return matte.clip(0, 1)
