"""The arguments that say how a picture is matted; no package is imported for them."""

import argparse

from utils.cli.arguments import at_most
from utils.infer.modes import MODES, PRECISIONS

INFERENCE = ("mode", "max_size", "halo", "tile", "batch", "precision", "memory_mb")


def add_inference(parser: argparse.ArgumentParser) -> None:
    """Give a script the options of `Inference`; None where they are not given."""
    sizes = parser.add_argument_group("inference")
    sizes.add_argument(
        "--mode",
        choices=MODES,
        help="whole: at full size, as published; tile: in bounded memory; auto: the cheaper of "
        "these two; resize, crop, half: distorted, as others published (whole)",
    )
    sizes.add_argument(
        "--halo",
        type=_halo,
        metavar="N",
        help="pixels that a tile sees around its core; full: the whole receptive field, which "
        "gives the matte of whole (full; 128 for networks that see the whole image at once)",
    )
    sizes.add_argument(
        "--tile",
        type=at_most("--tile", 65_536),
        metavar="N",
        help="largest tile, N x N pixels with its halo (1024); small tiles need --halo 128",
    )
    sizes.add_argument(
        "--batch", type=at_most("--batch", 1024), metavar="N", help="tiles at once (1)"
    )
    sizes.add_argument(
        "--max-size",
        type=at_most("--max-size", 65_536),
        metavar="N",
        help="longest side for resize (1600) and crop (320)",
    )
    sizes.add_argument(
        "--memory-mb",
        type=at_most("--memory-mb", 10**9),
        metavar="N",
        help="memory for auto (four fifths of what is free)",
    )
    sizes.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the network (float32)",
    )


def given_inference(arguments: argparse.Namespace) -> dict[str, object]:
    """The options of `Inference` that were given, and the mode."""
    given = {name: getattr(arguments, name) for name in INFERENCE}
    return {"mode": "whole", **{name: one for name, one in given.items() if one is not None}}


def _halo(text: str) -> int | str:
    return int(text) if text.isdecimal() else text  # which Inference takes or refuses
