"""How data sets call their folders, in any case: tables of names, and how a folder is found."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from utils.images.names import is_visible

TRIMAP_KINDS = ("trimap1", "trimap2", "trimap3")  # alphamatting.com: narrow, wide, drawn by hand
COMPOSED = "test/composed"


@dataclass(frozen=True)
class Layout:
    """What the folders of a test set are called; the first that is there is taken."""

    places: tuple[str, ...]  # where in the set they may lie
    image: tuple[str, ...]
    alpha: tuple[str, ...]
    trimap: tuple[str, ...]
    shared: bool = False  # mattes and trimaps may be one for all composites of a foreground
    made: bool = False  # trimaps may be missing; they are made from the truth then


# In the order in which they are tried.
LAYOUTS = {
    "alphamatting": Layout(
        ("",),
        ("input", "input_lowres", "input_training_lowres"),
        ("gt", "gt_lowres", "gt_training_lowres"),
        ("", "trimap", "trimap_lowres", "trimap_training_lowres"),  # these hold trimap1..3
    ),
    "aim": Layout(("",), ("original",), ("mask",), ("trimap",)),
    "p3m": Layout(("",), ("original_image", "blurred_image"), ("mask",), ("trimap",)),
    "composition-1k": Layout(
        ("", "combined_dataset/test_set", "test_set", COMPOSED),
        ("merged", "image"),
        ("alpha_copy", "alpha"),
        ("trimaps", "trimap"),
        shared=True,
    ),
    "distinctions-646": Layout(
        ("", "test", COMPOSED),
        ("merged", "image", "images"),
        ("gt", "alpha"),
        ("trimap", "trimaps"),
        shared=True,
    ),
    "transparent-460": Layout(
        ("", "test"),
        ("merged", "low_composited_images", "image"),
        ("alpha_copy", "alpha"),
        ("trimap_copy", "trimap", "trimaps"),
        shared=True,
    ),
    "own": Layout(("", COMPOSED), ("image",), ("alpha",), ("trimap",)),
    "ppm": Layout(("",), ("image",), ("matte",), ("trimap",), made=True),
    "rwp": Layout(("",), ("image", "images"), ("alpha",), ("trimap",), made=True),
    "refmatte": Layout(("", "test"), ("image_copy", "img"), ("mask",), ("trimap",), made=True),
}


def folder_key(name: str) -> str:
    """`Training_set` of `Training-Set` and `training set`, in lower case."""
    return name.casefold().replace(" ", "_").replace("-", "_")


def child(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of the names that is a folder in this one."""
    return children(folder, names)[0]


def children(folder: Path, *roles: Iterable[str]) -> list[Path | None]:
    """`child` of several lists of names."""
    there = {
        folder_key(path.name): path
        for path in sorted(folder.iterdir())
        if path.is_dir() and is_visible(path.name)
    }
    return [next((there[name] for name in names if name in there), None) for names in roles]


def descend(folder: Path, place: str) -> Path | None:
    """The folder `place`, names with slashes between, in this one."""
    for name in filter(None, place.split("/")):
        inner = child(folder, (name,))
        if inner is None:
            return None
        folder = inner
    return folder
