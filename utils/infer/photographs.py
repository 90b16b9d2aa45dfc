"""Photographs to cut out: their trimaps or masks, how they are read, what is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from models.errors import InputError
from utils.cli.arguments import colour
from utils.data.compose.arithmetic import compose
from utils.images.foreground import estimate_foreground
from utils.images.names import find_partners, list_images
from utils.images.reading import (
    check_same_size,
    read_alpha,
    read_image,
    read_trimap,
    require_unknown,
)
from utils.images.trimap import mask_trimap
from utils.images.writing import write_image

KINDS = ("matte", "cutout", "composite", "trimap")
# What an EXIF orientation asks for: a transposition first, then mirrored rows and columns.
ORIENTATIONS = {
    2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1),
    5: (True, 1, 1), 6: (True, 1, -1), 7: (True, -1, -1), 8: (True, -1, 1),
}  # fmt: skip


class Photograph(NamedTuple):
    """A photograph and the file that says where its foreground is."""

    image: Path
    hint: Path
    is_mask: bool
    folder: Path  # where its results go

    def result(self, kind: str) -> Path:
        """The file of one of `KINDS`."""
        return self.folder / f"{self.image.stem}_{kind}.png"


def find_photographs(
    given: Sequence[Path], trimap: Path | None, mask: Path | None, out: Path | None
) -> list[Photograph]:
    """The photographs of files and folders, each with its trimap or mask.

    Args:
        given: photographs, folders and globs of them; without `trimap` and `mask`, a photograph
            and its trimap.
        trimap, mask: a file for one photograph, or a folder with a file of each one's name.
        out: the folder for results; None is beside each photograph.

    Raises:
        InputError: there is no trimap or mask, none of that name, or two photographs of one name.
    """
    if trimap is None and mask is None:
        if len(given) != 2 or given[0].is_dir():
            raise InputError(
                f"{given[0]}: needs a trimap or a mask: give --trimap (0 background, 128 unknown, "
                "255 foreground; a file or a folder), or with --mask any mask of the foreground"
            )
        given, trimap = given[:1], given[1]
    images: dict[str, Path] = {}
    for pattern in given:
        paths = [pattern] if pattern.exists() else sorted(pattern.parent.glob(pattern.name))
        if not paths:
            raise InputError(f"{pattern}: no such file")
        for path in paths:
            found = list_images(path) if path.is_dir() else {path.stem: path}
            for name, image in found.items():
                if images.setdefault(name, image) != image:
                    raise InputError(f"{images[name]} and {image} have the same name; rename one")
    hint = trimap or mask
    if hint.is_dir():
        hints = find_partners(images, list_images(hint), hint)
    elif len(images) == 1:
        hints = dict.fromkeys(images, hint)
    else:
        raise InputError(f"{hint}: is one file for {len(images)} photographs; give a folder")
    return [
        Photograph(path, hints[name], trimap is None, out or path.parent)
        for name, path in images.items()
    ]


def read_photograph(photograph: Photograph, width: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The image (H, W, 3) and its trimap (H, W), uint8, as a viewer shows them.

    EXIF orientation is applied to both files.

    Args:
        width: of the trimap that is made of a mask, to each side: pixels, or "2%" of the longer
            side; None depends on the mask's area.

    Raises:
        InputError: a file cannot be read, sizes differ, or no pixel is unknown.
    """
    path, hint = photograph.image, photograph.hint
    image = upright(path, read_image(path))
    if photograph.is_mask:
        mask = upright(hint, read_alpha(hint))
        check_same_size(path, image, hint, mask)
        pixels = None if width is None else pixels_of(width, image.shape)
        try:
            trimap = mask_trimap(mask, pixels)
        except InputError as error:
            raise InputError(f"{hint}: {error}") from None
    else:
        trimap = upright(hint, read_trimap(hint))
        check_same_size(path, image, hint, trimap)
        require_unknown(hint, trimap)
    return image, trimap


def upright(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The pixels of a picture, turned as its EXIF orientation says."""
    try:
        with Image.open(path) as file:
            orientation = file.getexif().get(274)
    except OSError:  # a kind that Pillow does not read has none
        orientation = None
    if orientation not in ORIENTATIONS:
        return pixels
    transposed, rows, columns = ORIENTATIONS[orientation]
    if transposed:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[::rows, ::columns])


def pixels_of(width: str, shape: Sequence[int]) -> int:
    """The pixels of "12" or "2%", of the longer side.

    Raises:
        InputError: it is neither.
    """
    text = width.removesuffix("%")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise InputError(f"--width {width}: write pixels, as 12, or percent, as 2%")
    return max(1, round(value * max(shape[:2]) / 100 if width.endswith("%") else value))


def write_results(
    photograph: Photograph,
    image: np.ndarray,
    trimap: np.ndarray,
    matte: np.ndarray,
    *,
    cutout: bool,
    background: str | None,
    save_trimap: bool,
) -> None:
    """Write the matte, and if asked for the RGBA cut-out, the composite and the trimap.

    Args:
        background: a picture, which is scaled and cropped to cover, or a colour.
    """
    layers = cutout or background is not None
    foreground = estimate_foreground(image, matte) if layers else image
    write_image(photograph.result("matte"), matte)
    if save_trimap:
        write_image(photograph.result("trimap"), trimap)
    if cutout:
        write_image(photograph.result("cutout"), np.dstack([foreground, matte]))
    if background is not None:
        behind = read_background(background, matte.shape)
        write_image(photograph.result("composite"), compose(foreground, matte, behind))


def read_background(background: str, shape: tuple[int, int]) -> np.ndarray:
    """A picture that covers (H, W), cropped in the middle, or one colour; uint8 (H, W, 3).

    Raises:
        InputError: neither a picture nor a colour.
    """
    height, width = shape
    path = Path(background).expanduser()
    if not path.is_file():
        return np.full((height, width, 3), colour("--background", background), np.uint8)
    picture = upright(path, read_image(path))
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = [max(a, round(scale * b)) for a, b in zip((height, width), picture.shape, strict=False)]
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(picture, size[::-1], interpolation=shrinks)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return picture[top : top + height, left : left + width]
