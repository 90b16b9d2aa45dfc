"""Label maps: the class of each pixel, as PNGs with VOC's palette."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import InputError
from models.files.atomic import atomic
from utils.images.decode import PNG, checked_png, read_file, what_is_wrong

NO_LABEL = 255  # of a pixel that belongs to no class; it counts nowhere


def read_labels(path: Path | str, classes: int) -> np.ndarray:
    """A label map as uint8 (H, W): indices of a palette, or the values of a grey PNG.

    Raises:
        InputError: the file is missing, truncated or no label map, or holds a label that is neither
            one of 0 to `classes` - 1 nor 255.
    """
    path = Path(path)
    data = read_file(path)
    try:
        image = checked_png(data) if data.startswith(PNG) else Image.open(io.BytesIO(data))
        mode, labels = image.mode, np.array(image)
    except Exception:  # whatever a damaged file makes of Pillow
        raise InputError(f"{path}: {what_is_wrong(data)}") from None
    if mode not in ("P", "L") or labels.dtype != np.uint8:
        raise InputError(
            f"{path}: its pixels are {mode}; save label maps as palette or grey PNGs of 8 bits, "
            "whose values are the classes"
        )
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    wrong = [label for label in present.tolist() if classes <= label != NO_LABEL]
    if wrong:
        raise InputError(
            f"{path}: label {wrong[0]} is no class; the set has 0 to {classes - 1}, and "
            f"{NO_LABEL} for pixels without a label"
        )
    return labels


def write_labels(path: Path | str, labels: np.ndarray) -> None:
    """Save uint8 (H, W) as a PNG with VOC's palette, whole or not at all."""
    image = Image.fromarray(labels, "P")
    image.putpalette(palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def coloured(labels: np.ndarray) -> np.ndarray:
    """A label map in the colours of its palette, uint8 (H, W, 3)."""
    return palette()[labels]


@cache
def palette() -> np.ndarray:
    """VOC's colours, uint8 (256, 3): a label's bits, by threes, are the top bits of R, G, B."""
    labels = np.arange(256)[:, None]
    colours = np.zeros((256, 3), int)
    for place in range(8):
        colours |= (labels >> (3 * place + np.arange(3)) & 1) << (7 - place)
    return colours.astype(np.uint8)
