r"""Draw the qualitative figure of a paper: saved mattes side by side, with enlarged details.

    python figure.py --image DIR --alpha DIR --trimap DIR --pred ours=DIR --pred DIM=DIR \
        --out figure.pdf

The rows are the pictures in which the saved mattes differ most, or those of --picture; the enlarged
squares are where they differ most in the picture, or those of --inset. What was chosen is printed
as the options that choose it, to be changed and given by hand. Leave out --alpha where the truth is
not known.
"""

import argparse
from pathlib import Path

from models.errors import InputError
from utils.command import main
from utils.figures.examples import find_examples, most_different, read_mattes, read_photograph
from utils.figures.figure import Row, check_name, write_figure
from utils.figures.insets import parse_inset, place_insets
from utils.figures.over import check_backdrop


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, required=True, metavar="DIR", help="photographs")
    parser.add_argument("--trimap", type=Path, required=True, metavar="DIR")
    parser.add_argument("--alpha", type=Path, metavar="DIR", help="the truth, where it is known")
    parser.add_argument(
        "--pred",
        action="append",
        required=True,
        metavar="LABEL=DIR",
        help="saved mattes of a method, repeatable; DIR alone takes the name of the folder",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png or .pdf")
    parser.add_argument(
        "--picture", action="append", metavar="NAME", help="a row, without suffix; repeatable"
    )
    parser.add_argument("--rows", type=int, default=4, metavar="N", help="without --picture (4)")
    parser.add_argument(
        "--inset",
        action="append",
        default=[],
        metavar="[NAME:]X,Y,SIZE",
        help="a square to enlarge, of one picture or of all, in its pixels; repeatable",
    )
    parser.add_argument(
        "--insets", type=int, default=2, metavar="N", help="where --inset says nothing (2)"
    )
    parser.add_argument("--scores", action="store_true", help="SAD under each matte")
    parser.add_argument("--width", type=int, default=400, help="of a cell, in pixels (400)")
    parser.add_argument(
        "--inches", type=float, default=6.9, help="printed width, where text is of 8 points (6.9)"
    )
    parser.add_argument("--font", type=Path, metavar="FILE", help="TrueType or OpenType")
    parser.add_argument(
        "--over",
        metavar="COLOUR",
        help="show mattes as foregrounds over white, #00b140, checker ...; needs pymatting",
    )
    return parser.parse_args()


def figure() -> None:
    args = arguments()
    check_name(args.out)
    if args.scores and not args.alpha:
        raise InputError("--scores: there is no truth to score against; give --alpha")
    if args.over:
        check_backdrop(args.over)
    given = [parse_inset(text) for text in args.inset]
    examples = find_examples(
        args.image, args.trimap, args.alpha, _methods(args.pred), args.picture or ()
    )
    if not args.picture:
        examples = most_different(examples, args.rows)
    mattes = {example.name: read_mattes(example) for example in examples}
    insets = place_insets(mattes, given, args.insets)
    rows = [
        Row(read_photograph(example, mattes[example.name]), mattes[example.name], placed)
        for example, placed in zip(examples, insets.values(), strict=True)
    ]
    write_figure(args.out, rows, args.width, args.inches, args.scores, args.font, args.over)
    for name, placed in insets.items():
        print(" ".join([f"--picture {name}", *(f"--inset {name}:{one}" for one in placed)]))
    print(args.out)


def _methods(texts: list[str]) -> dict[str, Path]:
    """Folders by label."""
    methods: dict[str, Path] = {}
    for text in texts:
        label, equals, folder = text.partition("=")
        if not equals or Path(text).is_dir():  # a folder may have an equals sign in its name
            label, folder = Path(text).resolve().name, text
        if label in methods:
            raise InputError(f"--pred {text}: there is a {label} already; give another label")
        methods[label] = Path(folder)
    return methods


if __name__ == "__main__":
    main(figure)
