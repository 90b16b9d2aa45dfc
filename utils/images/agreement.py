"""Does a trimap belong to a matte? Its known pixels tell."""

from pathlib import Path

import numpy as np

from models.errors import InputError
from utils.cli.problems import warn_once

# Of the known pixels. Those of 14 photographs of alphamatting.com with two trimaps each contradict
# nowhere; mirrored, or with the trimap of another of these photographs, in 2 % and more.
BOUND = 0.01
BOUND_OF_LEVEL = 0.1  # of the known foreground or background, one of which may be small


def require_agreement(
    trimap_path: Path | str, trimap: np.ndarray, alpha_path: Path | str, alpha: np.ndarray
) -> None:
    """Raise an `InputError` that names both files where a trimap contradicts a matte.

    A pixel does where it is known to be foreground and less than a quarter opaque in the matte, or
    known to be background and more than three quarters opaque. Of a trimap that was exchanged,
    inverted, or made for another picture, many do. A few are told in a warning.

    Args:
        trimap: uint8 (H, W) of 0, 128 and 255.
        alpha: uint8 (H, W), the true matte.
    """
    wrong = known = 0
    refused = False
    for level, contradicts in ((0, alpha >= 192), (255, alpha < 64)):
        here = trimap == level
        count = np.count_nonzero(here)
        bad = np.count_nonzero(here & contradicts)
        refused |= bad > BOUND_OF_LEVEL * count
        wrong, known = wrong + bad, known + count
    if not wrong:
        return
    share = 100 * wrong / known
    told = f"{trimap_path}: {share:.3g} % of its known pixels contradict {alpha_path}"
    if refused or wrong > BOUND * known:
        raise InputError(
            f"{told}; were foreground and background exchanged, or is it of another picture?"
        )
    warn_once(told)
