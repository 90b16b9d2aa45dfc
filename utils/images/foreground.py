"""Foreground colours of a photograph, without what was behind them."""

import importlib.util

import numpy as np

from models.errors import InputError


def require_pymatting(option: str) -> None:
    """Raise an `InputError` where the package that estimates foregrounds is not installed."""
    if importlib.util.find_spec("pymatting") is None:
        raise InputError(
            f"{option}: needs pymatting to estimate colours; run pip install pymatting"
        )


def estimate_foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The foreground's colours, uint8 (H, W, 3), of a photograph and its matte.

    Alpha times the photograph would keep a halo of the old background. Germer et al., "Fast
    Multi-Level Foreground Estimation", ICPR 2020.

    Args:
        image: uint8 (H, W, 3).
        alpha: uint8 (H, W).
    """
    if alpha.size == 1:  # which pymatting does not take
        return image.copy()
    from pymatting import estimate_foreground_ml  # optional, and slow to import

    colours = estimate_foreground_ml(image / np.float32(255), alpha / np.float32(255))
    return np.rint(colours * 255).clip(0, 255).astype(np.uint8)
