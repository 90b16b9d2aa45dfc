"""Split the training foregrounds into train_names.txt and valid_names.txt of the data set.

python data_gen.py --dataset sample --valid-share 0.1 --seed 0
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
        "--valid-share", type=float, default=0.1, help="of the foregrounds, at least one (0.1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides which (0)")
    args = parser.parse_args()
    root = args.data_root / args.dataset
    train, valid = write_split(root, args.valid_share, args.seed)
    print(f"{root}: {len(train)} train and {len(valid)} valid foregrounds")


if __name__ == "__main__":
    main(data_gen)
