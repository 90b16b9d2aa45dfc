"""Split a training set into foregrounds to train on and foregrounds to validate on.

    python data_gen.py --dataset sample --valid-share 0.1 --seed 0

splits by foreground: no foreground is in both lists. The published split is by composite, and its
two lists share the foregrounds, so validation rewards a network that has memorised them. To
reproduce it:

    python data_gen.py --dataset Composition-1k --by composite --per-foreground 100

Reads the names in data/NAME/train. Writes train_names.txt and valid_names.txt into data/NAME.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils.cli import arguments
from utils.cli.arguments import SEED, at_most
from utils.data.split import write_split
from utils.data.voc.folders import is_voc


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument(
        "--dataset", default="sample", metavar="NAME", help="the folder data/NAME (sample)"
    )
    parser.add_argument(
        "--data-root",
        type=arguments.path,
        default=Path("data"),
        metavar="DIR",
        help="all data sets (data)",
    )
    parser.add_argument(
        "--by",
        choices=("foreground", "composite"),
        default="foreground",
        help="what is split (foreground); composite is the published way",
    )
    parser.add_argument(
        "--per-foreground",
        type=at_most("--per-foreground", 10_000),
        metavar="N",
        help="composites of each foreground, with --by composite (100)",
    )
    parser.add_argument(
        "--valid-share", type=float, default=0.1, metavar="X", help="share for validation (0.1)"
    )
    parser.add_argument(
        "--seed", type=at_most("--seed", SEED), default=0, metavar="N", help="of the draw (0)"
    )
    args = parser.parse_args(argv)
    root = args.data_root / args.dataset
    if is_voc(root):
        raise InputError(f"{root}: its lists split it already; go on with train.py")
    if args.by == "foreground":
        if args.per_foreground is not None:
            raise InputError("data_gen.py: --per-foreground goes with --by composite")
        train, valid = write_split(root, args.valid_share, args.seed)
        print(f"{root}: {len(train)} train and {len(valid)} valid foregrounds")
        return
    per_foreground = 100 if args.per_foreground is None else args.per_foreground
    train, valid = write_split(root, args.valid_share, args.seed, per_foreground)
    counts = [sum(map(len, part.values())) for part in (train, valid)]
    print(
        f"{root}: {counts[0]} train and {counts[1]} valid composites; "
        f"{len(train.keys() & valid.keys())} foregrounds are in both lists"
    )


if __name__ == "__main__":
    run(main)
