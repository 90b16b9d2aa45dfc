"""Compose a test set: foregrounds over backgrounds, with trimaps. Rendered first, for the sample.

python pre_process.py --dataset sample

One's own foregrounds, mattes and photographs go where data/README.md says; then

python pre_process.py --dataset NAME [--backgrounds DIR]
"""

import argparse
import os
from pathlib import Path

from utils.command import main
from utils.data.pairs import backgrounds, foregrounds
from utils.data.test_set import compose_test_set

SAMPLE = "sample"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=SAMPLE, metavar="NAME", help="the folder data/NAME")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="where data sets live")
    parser.add_argument(
        "--backgrounds", type=Path, metavar="DIR", help="default: data/NAME/test/bg"
    )
    parser.add_argument(
        "--per-foreground", type=int, metavar="N", help="composites of each; 20, for sample 4"
    )
    parser.add_argument(
        "--trimap-radius",
        type=int,
        nargs=2,
        default=(1, 30),
        metavar=("LOW", "HIGH"),
        help="pixels, for trimaps that the set does not bring (1 30)",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides the radii and the sample")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes; 0: this one alone"
    )
    return parser.parse_args()


def pre_process() -> None:
    args = arguments()
    root = args.data_root / args.dataset
    per_foreground = args.per_foreground
    if args.dataset == SAMPLE:
        from utils.data.sample import render

        render(root=root, seed=args.seed, workers=max(1, args.workers))
        per_foreground = 4 if per_foreground is None else per_foreground
    if per_foreground is None:
        per_foreground = 20
    count = len(foregrounds(root, "test")) * per_foreground
    if (root / "train").is_dir():  # a set may be for testing alone
        print(f"{root}: {len(foregrounds(root, 'train'))} training foregrounds")
    composed = compose_test_set(
        root,
        backgrounds(root, "test", args.backgrounds),
        per_foreground=per_foreground,
        radius=tuple(args.trimap_radius),
        seed=args.seed,
        workers=args.workers,
    )
    print(f"{composed}: {count} composites; next: python data_gen.py --dataset {args.dataset}")


if __name__ == "__main__":
    main(pre_process)
