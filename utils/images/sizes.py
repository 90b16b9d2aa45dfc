"""How large pictures are, and whether those that belong together are of one size."""

from pathlib import Path

import numpy as np

from models.errors import InputError
from utils.images.decode import decode, size_in_header


def image_size(path: Path | str) -> tuple[int, int]:
    """The (height, width) of a picture, from its header where that is whole.

    Raises:
        InputError: the file is missing or no picture.
    """
    return size_in_header(Path(path)) or decode(path).shape[:2]


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
