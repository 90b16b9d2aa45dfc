"""A matte seen as what it is for: the foreground that it cuts out, over another background."""

import importlib.util

import numpy as np
from PIL import ImageColor

from models.errors import InputError
from utils.data.compose.arithmetic import compose

CHECKER = "checker"
SQUARES, LIGHT, DARK = 24, 230, 160  # across a picture, and their greys


def check_backdrop(over: str) -> None:
    """Raise an `InputError` unless `over` is a backdrop and foregrounds can be estimated."""
    if importlib.util.find_spec("pymatting") is None:
        raise InputError("--over: estimates foregrounds with pymatting; run pip install pymatting")
    if over != CHECKER:
        _colour(over)


def put_over(image: np.ndarray, alpha: np.ndarray, over: str) -> np.ndarray:
    """The foreground of a photograph over a backdrop.

    Its colours are estimated from the photograph and the matte (Germer et al., Fast Multi-Level
    Foreground Estimation, ICPR 2020): alpha times the photograph would bring its background along.

    Args:
        image: uint8 (H, W, 3).
        alpha: uint8 (H, W).
        over: "checker", or a colour as CSS writes it: "green", "#00b140".

    Returns:
        uint8 (H, W, 3).

    Raises:
        InputError: `over` is none of these.
    """
    from pymatting import estimate_foreground_ml  # optional, and slow to import

    height, width = alpha.shape
    if over == CHECKER:
        side = max(1, round(width / SQUARES))
        y, x = np.ogrid[:height, :width]
        grey = np.where((y // side + x // side) % 2, DARK, LIGHT).astype(np.uint8)
        backdrop = np.repeat(grey[..., None], 3, axis=2)
    else:
        backdrop = np.full_like(image, _colour(over))
    colours = estimate_foreground_ml(image / np.float32(255), alpha / np.float32(255))
    return compose(np.rint(colours * 255).clip(0, 255).astype(np.uint8), alpha, backdrop)


def _colour(text: str) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise InputError(
            f"--over {text}: no colour; write {CHECKER}, a name like green or #RRGGBB"
        ) from None
