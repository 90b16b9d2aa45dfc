r"""Draw the figures of a paper: saved mattes side by side, or what a pruning has left.

    python figure.py --image DIR --alpha DIR --trimap DIR --pred ours=DIR --pred DIM=DIR \
        --out figure.pdf
    python figure.py --widths result/SPKD/pruned.tar --out widths.pdf

The second shows for each pruned.tar the channels that are kept of each group beside the full
network, and how its gates moved: time to the right, size upwards, the darker the more gates.

The rows of the first are the images in which the mattes differ most, the enlarged squares where
they do, by --alpha or among each other. The choice is printed as the options --picture and --inset.

Reads folders of pictures, whose files have the same names, and mattes that test.py has saved.
Writes --out.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils.cli import arguments
from utils.cli.arguments import at_most, refuse_given
from utils.cli.files import require_target
from utils.figures.figure import check_backdrop, check_format, write_figure
from utils.figures.rows import (
    find_examples,
    most_different,
    parse_inset,
    parse_methods,
    place_insets,
)
from utils.figures.widths import read_pruned, write_widths

OF_MATTES = (
    *("image", "trimap", "alpha", "pred", "picture", "rows", "inset", "insets"),
    *("scores", "width", "over", "beside"),
)


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    check_format(args.out, args.inches)
    if args.widths:
        refuse_given(args, OF_MATTES, "figure.py", "--widths")
        require_target("--out", args.out, args.widths)
        pruned = [read_pruned(path) for path in args.widths]
        write_widths(args.out, pruned, args.inches, args.font)
    else:
        _draw_mattes(args)
    print(args.out)


def _draw_mattes(args: argparse.Namespace) -> None:
    """Write the figure of mattes and print what was chosen as options."""
    methods = parse_methods(args.pred)
    folders = [args.image, args.trimap, args.alpha, *methods.values()]
    require_target("--out", args.out, [one for one in (*folders, args.font) if one])
    _check_options(args)
    count = 2 if args.insets is None else args.insets
    given = [parse_inset(text) for text in args.inset or ()]
    examples = find_examples(args.image, args.trimap, args.alpha, methods, args.picture or ())
    if not args.picture:
        most = 4 if args.rows is None else args.rows
        if len(methods) == 1 and not args.alpha and count == 0:  # nothing differs: spread them
            most = min(most, len(examples))
            examples = [examples[index * len(examples) // most] for index in range(most)]
        else:
            examples = most_different(examples, most)
    rows = [example.read() for example in examples]
    insets = place_insets(rows, given, count)
    width = 400 if args.width is None else args.width
    style = (width, args.inches, args.scores, args.font, args.over, args.beside)
    write_figure(args.out, rows, insets, *style)
    for row, placed in zip(rows, insets, strict=True):
        words = [word for one in placed for word in ("--inset", f"{row.name}:{one}")]
        print(shlex.join(["--picture", row.name, *words]))


def _check_options(args: argparse.Namespace) -> None:
    if args.picture:
        refuse_given(args, ["rows"], "figure.py", "--picture")
    if args.rows is not None and args.rows < 1:
        raise InputError(f"--rows {args.rows}: choose 1 or more")
    if args.scores and not args.alpha:
        raise InputError("--scores: there is no truth to score against; give --alpha")
    if args.beside and not args.over:
        raise InputError("--beside: shows foregrounds beside mattes; say over what with --over")
    if args.over:
        check_backdrop(args.over)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser(__doc__)
    add, path = parser.add_argument, arguments.path
    add("--image", type=path, metavar="DIR", help="images")
    add("--trimap", type=path, metavar="DIR", help="their trimaps")
    add("--alpha", type=path, metavar="DIR", help="ground truth")
    label = "mattes of one method; the label is the name of the folder by default; repeatable"
    add("--pred", action="append", metavar="LABEL=DIR", help=label)
    add("--widths", type=path, nargs="+", metavar="FILE", help="draw these pruned.tar instead")
    add("--out", type=path, required=True, metavar="FILE", help=".png or .pdf")
    add("--picture", action="append", metavar="NAME", help="a row, without suffix; repeatable")
    rows = "number of rows without --picture (4)"
    add("--rows", type=at_most("--rows", 100), metavar="N", help=rows)
    square = "a square to enlarge, in pixels, in one image or in all; repeatable"
    add("--inset", action="append", metavar="[NAME:]X,Y,SIZE", help=square)
    squares = "squares of an image without --inset (2)"
    add("--insets", type=at_most("--insets", 100), metavar="N", help=squares)
    add("--scores", action="store_const", const=True, help="print SAD under each matte")
    width = "pixels of a cell (400)"
    add("--width", type=at_most("--width", 8192), metavar="N", help=width)
    inches = "printed width; text is 8 pt (6.9)"
    add("--inches", type=float, default=6.9, metavar="X", help=inches)
    add("--font", type=path, metavar="FILE", help="TrueType or OpenType")
    over = "show the foreground over white, #00b140, checker ... instead of the matte; "
    add("--over", metavar="COLOUR", help=over + "needs pymatting")
    beside = "with --over: show the matte, too, and left of it"
    add("--beside", action="store_const", const=True, help=beside)
    args = parser.parse_args(argv)
    missing = [f"--{name}" for name in ("image", "trimap", "pred") if not getattr(args, name)]
    if missing and not args.widths:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    return args


if __name__ == "__main__":
    run(main)
