"""What a qualitative figure shows: pictures with the mattes of several methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import InputError
from utils.cli.progress import progress_bar
from utils.images.names import Lookup, find_partners, list_images
from utils.images.reading import (
    check_same_size,
    list_mattes,
    read_image,
    read_matte,
    read_trimap,
    require_unknown,
)
from utils.images.trimap import UNKNOWN


@dataclass(frozen=True)
class Example:
    """The files of one picture; `mattes` has one for each method, by its title."""

    name: str
    image: Path
    trimap: Path
    alpha: Path | None
    mattes: Mapping[str, Path]


@dataclass(frozen=True)
class Mattes:
    """A trimap, the truth if it is known, and each method's matte: uint8 (H, W), of one size."""

    trimap: np.ndarray
    alpha: np.ndarray | None
    methods: Mapping[str, np.ndarray]

    def difference(self) -> np.ndarray:
        """How much the methods differ at each unknown pixel, float64 (H, W); 0 at the others.

        It is the variance of their mattes, whichever of them is right; of a single method the
        squared error. Both are in squared grey levels.

        Raises:
            InputError: one method and no truth.
        """
        stack = np.stack(list(self.methods.values()))
        if len(stack) > 1:
            squared = stack.var(axis=0)
        elif self.alpha is not None:
            squared = (stack[0] - self.alpha.astype(np.float64)) ** 2
        else:
            raise InputError(
                "one method and no truth: nothing tells where to look; give --alpha or another "
                "--pred, choose with --picture and --inset, or give --insets 0"
            )
        return squared * (self.trimap == UNKNOWN)


def parse_methods(texts: Sequence[str]) -> dict[str, Path]:
    """Folders of mattes by label, from `LABEL=DIR` or `DIR`, whose label is the folder's name.

    Raises:
        InputError: two have the same label.
    """
    methods: dict[str, Path] = {}
    for text in texts:
        label, equals, folder = text.partition("=")
        if (
            not equals or Path(text).expanduser().is_dir()
        ):  # a folder may have an equals sign in its name
            label, folder = Path(text).resolve().name, text
        if label in methods:
            raise InputError(f"--pred {text}: there is a {label} already; give another label")
        methods[label] = Path(folder).expanduser()
    return methods


def find_examples(
    image: Path,
    trimap: Path,
    alpha: Path | None,
    methods: Mapping[str, Path],
    names: Sequence[str] = (),
) -> list[Example]:
    """The named pictures of the folder `image`, or else all, with their files by name.

    Args:
        methods: title -> folder of saved mattes.

    Raises:
        InputError: a folder is missing or empty, there is no such picture, a picture lacks its
            trimap, its truth or a method's matte, or, where none is named, one of these its
            picture.
    """
    images = list_images(image)
    lookup = Lookup(images)
    chosen = {}
    for text in names or images:
        name = lookup.find(text)
        if name is None:
            raise InputError(f"{image}: no picture {text}; --picture takes a name without suffix")
        chosen[name] = images[name]

    def partners(files: dict[str, Path], folder: Path) -> dict[str, Path]:
        return find_partners(chosen, files, folder, own=None if names else image)

    trimaps = partners(list_images(trimap), trimap)
    alphas = partners(list_images(alpha), alpha) if alpha else dict.fromkeys(chosen)
    mattes = {title: partners(list_mattes(folder), folder) for title, folder in methods.items()}
    examples = []
    for name, path in chosen.items():
        files = {title: found[name] for title, found in mattes.items()}
        examples.append(Example(name, path, trimaps[name], alphas[name], files))
    return examples


def spread(examples: Sequence[Example], count: int) -> list[Example]:
    """Up to `count` of the examples, as far from each other as can be."""
    count = min(count, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]


def most_different(examples: Sequence[Example], count: int) -> list[Example]:
    """The examples whose methods differ most, by the mean over unknown pixels; the first is most.

    Of those with the same truth (composites of one foreground) only the first is taken.

    Raises:
        InputError: a picture cannot be used, or there is one method and no truth.
    """
    measured = []
    for example in progress_bar(examples, desc="comparing", unit="image"):
        mattes = read_mattes(example)
        mean = mattes.difference().mean(where=mattes.trimap == UNKNOWN)
        truth = example.name if mattes.alpha is None else hash(mattes.alpha.tobytes())
        measured.append((mean, truth, example))
    measured.sort(key=lambda one: -one[0])
    first: dict[object, Example] = {}
    for _, truth, example in measured:
        first.setdefault(truth, example)
    return list(first.values())[:count]


def read_mattes(example: Example) -> Mattes:
    """Read all but the photograph.

    Raises:
        InputError: a file cannot be used, two are of different sizes, or nothing is unknown.
    """
    trimap = read_trimap(example.trimap)
    require_unknown(example.trimap, trimap)

    def read(path: Path) -> np.ndarray:
        matte = read_matte(path)
        check_same_size(path, matte, example.trimap, trimap)
        return matte

    alpha = read(example.alpha) if example.alpha else None
    return Mattes(trimap, alpha, {title: read(path) for title, path in example.mattes.items()})


def read_photograph(example: Example, mattes: Mattes) -> np.ndarray:
    """The photograph, uint8 (H, W, 3).

    Raises:
        InputError: it cannot be used, or is of another size than its mattes.
    """
    image = read_image(example.image)
    check_same_size(example.image, image, example.trimap, mattes.trimap)
    return image
