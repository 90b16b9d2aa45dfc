"""Photographs with mattes become foregrounds, in the layouts that sets of them have."""

from pathlib import Path

import numpy as np
import pytest

from tests.scripts import refusal
from tests.sets import disc
from tests.sources import fg, files, pack, refused
from utils.data.importers import colours as natural
from utils.data.importers.importing import COLOURS, import_set
from utils.images.reading import read_alpha, read_image
from utils.images.writing import write_image

SIZE = (48, 64)
LAYOUTS = [
    ("original", "mask", "train"),  # AIM-500
    ("P3M-10k/train/blurred_image", "P3M-10k/train/mask", "train"),
    ("val/image", "val/matte", "test"),  # PPM-100
    ("AM-2k/validation/original", "AM-2k/validation/mask", "test"),
    ("P3M-10k/validation/P3M-500-NP/original_image", "P3M-10k/validation/P3M-500-NP/mask", "test"),
]


def photograph(folder: Path, image: str, matte: str, count: int = 2) -> Path:
    """Composites of a smooth foreground over one of another colour, and their mattes."""
    for index in range(count):
        alpha = disc(*SIZE, 5)
        a = alpha[..., None] / 255
        mixed = a * colours(index) + (1 - a) * (20, 200, 40)
        write_image(folder / image / f"{index}.png", np.rint(mixed).astype(np.uint8))
        write_image(folder / matte / f"{index}.png", alpha)
    return folder


def colours(index: int) -> np.ndarray:
    return np.full((*SIZE, 3), (200 - index, 60, 90), np.uint8)


@pytest.mark.parametrize(("image", "matte", "part"), LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_photographs_arrive_without_the_colours_behind_them(tmp_path, image, matte, part, packed):
    source = photograph(tmp_path / "in", image, matte)
    other = {"train": "validation", "test": "train"}[part]
    photograph(source, image.replace("validation", other), matte.replace("validation", other))
    before, root = files(source), tmp_path / "set"
    arguments = ("natural", pack(source, "in.zip") if packed else source, root)
    import_set(*arguments, part=part, workers=0)
    for index in range(2):
        alpha = read_alpha(root / part / f"alpha/{index}.png")
        assert (alpha == disc(*SIZE, 5)).all()
        made = read_image(root / part / f"fg/{index}.png").astype(int)
        assert np.abs(made - colours(index))[alpha > 25].max() <= 12
    assert files(source) == before and not (root / COLOURS).exists()
    assert import_set(*arguments, part=part, workers=0).written == 0


def test_an_interrupted_import_goes_on_with_the_colours_that_are_made(tmp_path, monkeypatch):
    source, root = photograph(tmp_path / "in", "image", "alpha", 3), tmp_path / "set"
    estimate, seen = natural.estimate_foreground, []

    def estimated(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(image)
        return estimate(image, alpha)

    monkeypatch.setattr(natural, "estimate_foreground", estimated)
    with pytest.raises(KeyboardInterrupt):
        import_set("natural", source, root, part="train", workers=0)
    assert not (root / "train").exists()
    seen.clear()
    import_set("natural", source, root, part="train", workers=0)
    assert len(seen) == 1 and len(list((root / "train/fg").iterdir())) == 3


def test_a_photograph_without_its_matte_is_refused_before_colours_are_estimated(tmp_path):
    source = photograph(tmp_path / "in", "original", "mask")
    (source / "mask/1.png").unlink()
    assert "1.png has no matte" in refused("natural", source, tmp_path / "set", part="train")
    fg(tmp_path / "empty/pictures/a.png")
    line = refusal(
        "pre_process.py", "--dataset", "X", "--data-root", tmp_path, "--kind", "natural",
        "--part", "train", "--from", tmp_path / "empty",
    )  # fmt: skip
    assert "looked for folders original|blurred_image" in line and "found none" in line


def test_backgrounds_are_taken_from_the_folder_of_their_part(tmp_path):
    for part, name in (("train", "a"), ("testval", "b")):
        fg(tmp_path / f"BG-20k/{part}/h_{name}.jpg")
    for part in ("train", "test"):
        import_set("photographs", tmp_path / "BG-20k", tmp_path / "set", part=part)
    assert set(files(tmp_path / "set")) == {"train/bg/h_a.jpg", "test/bg/h_b.jpg"}
