"""The options of `Inference`: how scripts take them, and which go together; imports no package."""

import argparse
from collections.abc import Mapping

from models.errors import InputError
from utils.cli.arguments import at_most

MODES = ("whole", "auto", "tile", "resize", "crop", "half")
PRECISIONS = ("float32", "bfloat16", "float16")
MAX_SIZE = {"resize": 1600, "crop": 320}  # as published
TILED = ("tile", "auto")
# axes of a picture by which each view is flipped; the first is the picture itself
VIEWS = {"mirror": ((), (1,)), "flips": ((), (1,), (0,), (0, 1))}
MODES_OF = {
    "max_size": tuple(MAX_SIZE),
    "tta": ("whole",),
    **dict.fromkeys(("halo", "tile", "batch"), TILED),
    "memory_mb": ("auto",),
}
INFERENCE = ("mode", "halo", "tile", "batch", "max_size", "memory_mb", "precision", "tta")


def add_inference(parser: argparse.ArgumentParser, mode: str = "whole") -> None:
    """Give a script the options of `Inference`; None where they are not given.

    Args:
        mode: which is meant then, see `given_inference`.
    """
    group = parser.add_argument_group("inference")
    group.add_argument(
        "--mode",
        choices=MODES,
        help="whole: at full size, as published; tile: overlapping tiles; auto: whole or tile, "
        "whichever is cheaper and fits in memory; resize, crop, half: rescale the picture, only to "
        f"reproduce published protocols ({mode})",
    )
    group.add_argument(
        "--halo",
        type=lambda text: int(text) if text.isdecimal() else text,
        metavar="N",
        help="pixels of context around each tile; full: the whole receptive field, which gives "
        "the matte of whole (full; 128 for networks that see the whole image at once)",
    )
    for option, largest, words in (
        ("--tile", 65_536, "largest tile, N x N pixels with its halo (1024)"),
        ("--batch", 1024, "tiles at once (1)"),
        ("--max-size", 65_536, "longest side for resize (1600) and crop (320)"),
        ("--memory-mb", 10**9, "memory for auto (four fifths of what is free)"),
    ):
        group.add_argument(option, type=at_most(option, largest), metavar="N", help=words)
    group.add_argument("--precision", choices=PRECISIONS, help="of the network (float32)")
    group.add_argument(
        "--tta",
        choices=VIEWS,
        help="the mean over the picture and its mirror image, or its three flips: 2 or 4 passes",
    )


def given_inference(arguments: argparse.Namespace, mode: str = "whole") -> dict[str, object]:
    """The options of `Inference` that were given, and the mode, which is `mode` if not given."""
    given = {name: value for name in INFERENCE if (value := getattr(arguments, name)) is not None}
    options = {"mode": mode, **given}
    check_options(options)
    return options


def check_options(options: Mapping[str, object]) -> None:
    """Raise an `InputError` where an option has an impossible value or no effect in the mode."""
    for name, known in (("mode", MODES), ("precision", PRECISIONS), ("tta", (None, *VIEWS))):
        if options.get(name, known[0]) not in known:
            raise InputError(
                f"{name}: {options[name]!r} is none; use {', '.join(filter(None, known))}"
            )
    for name, modes in MODES_OF.items():
        value = options.get(name)
        if value is None:
            continue
        if options["mode"] not in modes:
            raise InputError(f"{name} goes with {' and '.join(modes)}, not with {options['mode']}")
        if name == "halo" and isinstance(value, str) and value != "full":
            raise InputError(f"halo: {value!r} is none; give pixels, or full")
        if isinstance(value, int) and value < 1:
            raise InputError(f"{name}: {value} is too small; give at least 1")
