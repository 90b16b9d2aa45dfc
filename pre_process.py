"""Make a data set ready: render or bring it, decode the training store, compose the test set.

python pre_process.py --dataset sample

renders the embedded sample. One's own foregrounds, mattes and photographs go where data/README.md
says, or are brought there from a folder or an archive; both can be repeated at any time:

python pre_process.py --dataset NAME --kind KIND --from SOURCE [--part train|test]
python pre_process.py --dataset NAME [--backgrounds DIR]
python pre_process.py --dataset NAME --check
python pre_process.py --dataset NAME --merged
"""

import argparse
import os
from pathlib import Path

from models.errors import InputError
from utils.command import main
from utils.data.check import check_set
from utils.data.compose.testing import compose_test_set
from utils.data.compose.training import compose_training_set
from utils.data.folders import LAYOUT, backgrounds, foregrounds
from utils.data.importers.importing import SOURCE_KINDS, import_set
from utils.data.store.building import build_store

SAMPLE = "sample"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=SAMPLE, metavar="NAME", help="the folder data/NAME")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="where data sets live")
    parser.add_argument(
        "--backgrounds",
        type=Path,
        metavar="DIR",
        help="for the test set, or with --merged for training; default: the set's own bg",
    )
    parser.add_argument(
        "--per-foreground", type=int, metavar="N", help="composites: 20, sample 4, --merged 100"
    )
    parser.add_argument(
        "--trimap-radius",
        type=int,
        nargs=2,
        default=(1, 30),
        metavar=("LOW", "HIGH"),
        help="pixels, for trimaps that the set does not bring (1 30)",
    )
    parser.add_argument(
        "--snap",
        type=int,
        choices=range(64),
        default=0,
        metavar="N",
        help="training matte values within N of 0 or 255 become these (0); 5 for mattes that were "
        "saved with losses or made by networks",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides the radii and the sample")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes; 0: this one alone"
    )
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--check", action="store_true", help="list all that is wrong with the set")
    doing.add_argument(
        "--merged",
        nargs="?",
        const=".png",
        choices=(".png", ".jpg"),
        help="write all training composites, as the published code does (over 100 GB)",
    )
    doing.add_argument(
        "--from", dest="source", type=Path, metavar="SOURCE", help="bring a folder or an archive"
    )
    parser.add_argument("--kind", choices=SOURCE_KINDS, help="what SOURCE is")
    parser.add_argument("--part", choices=("train", "test"), help="of the set, that SOURCE is for")
    parser.add_argument("--link", action="store_true", help="link to the files of the folder")
    args = parser.parse_args()
    if bool(args.source) != bool(args.kind):
        parser.error("--from and --kind belong together")
    if not args.source and (args.part or args.link):
        parser.error("--part and --link are for --from")
    return args


def pre_process() -> None:
    args = arguments()
    root = args.data_root / args.dataset
    if args.source:
        told = import_set(
            args.kind, args.source, root, part=args.part, workers=args.workers, link=args.link
        )
        print(f"{root}: {told}; next: python pre_process.py --dataset {args.dataset}")
    elif args.check:
        problems = check_set(root, args.workers, args.backgrounds)
        print(*problems, sep="\n", end="\n" if problems else "")
        if problems:
            raise InputError(f"{root}: {len(problems)} problems, listed above; mend or remove them")
        print(f"{root}: nothing is wrong")
    elif args.merged:
        behind = backgrounds(root, "train", args.backgrounds)
        count = 100 if args.per_foreground is None else args.per_foreground
        merged = compose_training_set(root, behind, count, args.merged, args.workers)
        print(f"{merged}: {len(foregrounds(root, 'train')) * count} composites")
    else:
        prepare(args, root)


def prepare(args: argparse.Namespace, root: Path) -> None:
    """Render the sample, build the training store, compose the test set: what there is to do."""
    per_foreground = args.per_foreground
    if args.dataset == SAMPLE:
        from utils.render import render

        render(root=root, seed=args.seed, workers=max(1, args.workers))
        per_foreground = 4 if per_foreground is None else per_foreground
    if per_foreground is None:
        per_foreground = 20
    trains, tests = ((root / part).is_dir() for part in ("train", "test"))
    if not trains and not tests:
        raise InputError(
            f"{root}: neither train nor test is in it; {LAYOUT.format(part='train')}, or bring a "
            "set with --from (see data/README.md)"
        )
    if trains:  # a set may be for testing alone, or for training
        store = build_store(root, args.workers, args.snap)
        print(f"{store}: {len(foregrounds(root, 'train'))} training foregrounds")
    if tests:
        composed = compose_test_set(
            root,
            backgrounds(root, "test", args.backgrounds),
            per_foreground=per_foreground,
            radius=tuple(args.trimap_radius),
            seed=args.seed,
            workers=args.workers,
        )
        print(f"{composed}: {len(foregrounds(root, 'test')) * per_foreground} composites")
    if trains:
        print(f"next: python data_gen.py --dataset {args.dataset}")


if __name__ == "__main__":
    main(pre_process)
