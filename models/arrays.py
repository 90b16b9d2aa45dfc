"""Photographs and trimaps as NumPy arrays, checked as strictly as files are."""

import numpy as np

from models.errors import InputError

UNKNOWN = 128  # beside 0, background, and 255, foreground


def check_arrays(image: np.ndarray, trimap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A photograph and its trimap as contiguous copies, uint8 (H, W, 3) and (H, W).

    A grey photograph becomes RGB, an alpha channel is ignored.

    Raises:
        InputError: other types, shapes or values, or the two differ in size.
    """
    image, trimap = np.array(image, order="C"), np.array(trimap, order="C")
    for name, array, fits in (
        ("image", image, image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))),
        ("trimap", trimap, trimap.ndim == 2),
    ):
        if array.dtype != np.uint8 or not fits or not array.size:
            shape = "(height, width, 3), RGB" if name == "image" else "(height, width)"
            given = f"{array.dtype} {array.shape}"
            raise InputError(f"{name}: {given}; give uint8 {shape}, 0 to 255")
    if image.shape[:2] != trimap.shape:
        sizes = [f"{array.shape[1]} x {array.shape[0]}" for array in (image, trimap)]
        raise InputError(f"the picture is {sizes[0]}, but its trimap {sizes[1]}; match them")
    others = (trimap != 0) & (trimap != UNKNOWN) & (trimap != 255)
    if others.any():
        raise InputError(
            f"trimap: holds {trimap[others][0]}; give 0 (background), 128 (unknown) and 255 "
            "(foreground)"
        )
    if image.ndim == 2 or image.shape[2] == 1:
        image = np.repeat(image.reshape(*trimap.shape, 1), 3, axis=2)
    return np.ascontiguousarray(image[..., :3]), trimap


def matte_of(alpha: np.ndarray, trimap: np.ndarray, half: bool = False) -> np.ndarray:
    """The alpha that a network gave, with known pixels exactly 0 and 1, float32 (H, W).

    Args:
        half: whether it was computed in float16, which overflows.

    Raises:
        InputError: it is not finite.
    """
    matte = np.where(trimap == UNKNOWN, alpha, trimap == 255).astype(np.float32)
    if not np.isfinite(matte).all():
        cause = "its weights hold nan or infinity"
        if half:
            cause = "float16 overflows, use bfloat16 or float32; or its weights hold nan"
        raise InputError(f"the network's matte is not finite ({cause})")
    return matte
