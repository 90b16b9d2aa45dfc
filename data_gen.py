"""Split the training set into train_names.txt and valid_names.txt of the data set.

python data_gen.py --dataset sample --valid-share 0.1 --seed 0

By foreground, none is in both lists. The published split is by composite: its lists share the
foregrounds, so that validation rewards having learnt them by heart. To reproduce it:

python data_gen.py --dataset Composition-1k --by composite --per-foreground 100
"""

import argparse
from pathlib import Path

from utils.command import main
from utils.data.split import write_split


def data_gen() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="sample", metavar="NAME", help="the folder data/NAME")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="where data sets live")
    parser.add_argument(
        "--by",
        choices=("foreground", "composite"),
        default="foreground",
        help="what is split; composite, as published, shares foregrounds between train and valid",
    )
    parser.add_argument(
        "--per-foreground", type=int, metavar="N", help="composites of each (100); by composite"
    )
    parser.add_argument(
        "--valid-share", type=float, default=0.1, help="of what is split, at least one (0.1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides which (0)")
    args = parser.parse_args()
    root = args.data_root / args.dataset
    if args.by == "foreground":
        if args.per_foreground is not None:
            parser.error("--per-foreground is for --by composite")
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
    main(data_gen)
