"""Saving pictures: whole under their name, or not at all."""

from pathlib import Path

import cv2
import numpy as np

from models.errors import InputError
from models.files.atomic import atomic


def write_image(path: Path | str, array: np.ndarray, quality: int | None = None) -> None:
    """Save uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA as PNG or JPEG, by the suffix.

    Args:
        quality: of a JPEG, 0 to 100; None is 95.

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
    options = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    # Not cv2.imwrite: it does not say when the disk is full.
    _, data = cv2.imencode(suffix, array, options)
    with atomic(path) as temporary:
        temporary.write_bytes(data.tobytes())
