"""Photographs with mattes become foregrounds: the colours without what was behind them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.images.foreground import estimate_foreground, require_pymatting
from utils.images.reading import read_alpha, read_image
from utils.images.writing import write_image


def foreground_colours(
    images: Mapping[str, Path], mattes: Mapping[str, Path], folder: Path, workers: int
) -> dict[str, Path]:
    """Estimate the foreground of each photograph, as PNG in `folder`; {name: file}.

    What an earlier call left there of the same two files is taken as it is.

    Args:
        images: photographs by name, whose mattes have the same names and sizes.

    Raises:
        InputError: pymatting is not installed; a file cannot be read or written.
    """
    require_pymatting("--kind natural")
    jobs = [(images[name], mattes[name], folder) for name in images]
    made: dict[Path, Path] = {}
    with progress_bar(total=len(jobs), desc="colours", unit="image") as bar:
        for image, file in run(_estimate, jobs, workers, "the import"):
            made[image] = file
            bar.update()
    return {name: made[image] for name, image in images.items()}


def _estimate(job: tuple[Path, Path, Path]) -> tuple[Path, Path]:
    """Of a photograph, its matte and the folder: the photograph, and the file of its foreground."""
    image, matte, folder = job
    content = hashlib.sha256(image.read_bytes() + matte.read_bytes()).hexdigest()
    file = folder / f"{content}.png"
    if not file.exists():
        write_image(file, estimate_foreground(read_image(image), read_alpha(matte)))
    return image, file
