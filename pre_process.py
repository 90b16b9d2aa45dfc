"""Prepare a data set: build its training store, compose its test set.

    python pre_process.py --dataset sample

renders the embedded sample first (sample_voc: that for segmentation). Put your own foregrounds,
mattes and backgrounds where data/README.md says, or import them from a folder or an archive. Every
command can be run again.

    python pre_process.py --dataset NAME --kind KIND --from SOURCE [--part train|test]
    python pre_process.py --dataset NAME [--backgrounds DIR]
    python pre_process.py --dataset NAME --check
    python pre_process.py --dataset NAME --merged

Reads data/NAME/{train,test}/{fg,alpha,bg} and, with --from, SOURCE. Writes the training store,
train/store, and the test set, test/composed, which test.py scores.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils.cli import arguments
from utils.cli.arguments import SEED, at_most, refuse_given
from utils.cli.problems import dataset_command
from utils.data.check import check_labelled, check_set
from utils.data.compose.composites import compose_test_set, compose_training_set
from utils.data.folders import backgrounds, foregrounds, parts
from utils.data.importers.importing import import_set
from utils.data.store import build_store
from utils.data.voc.folders import class_names, is_voc, labelled
from utils.images.trimap import LARGEST_RADIUS
from utils.render import render, render_scenes

SAMPLE, SCENES = "sample", "sample_voc"  # what is rendered here
IMPORTING = ("kind", "part", "link")
PREPARING = ("backgrounds", "per_foreground", "trimap_radius", "photographic", "snap", "seed")


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    root = args.data_root / args.dataset
    voc = args.dataset == SCENES or is_voc(root)
    if args.source:
        task, name, used = _import, "--from", IMPORTING
    elif args.merged:
        task, name, used = _merge, "--merged", ("backgrounds", "per_foreground")
    elif args.check:
        task, name, used = _check, "--check", () if voc else ("backgrounds",)
    elif voc:
        used = ("seed",) if args.dataset == SCENES else ()
        task, name = _prepare_labels, "a set in VOC's layout"
    else:
        task, name, used = _prepare, "preparing (it goes with --from)", PREPARING
    idle = [one for one in (*IMPORTING, *PREPARING) if one not in used]
    refuse_given(args, idle, "pre_process.py", name)
    task(args, root)


def _import(args: argparse.Namespace, root: Path) -> None:
    imported = import_set(
        args.kind, args.source, root, part=args.part, workers=args.workers, link=bool(args.link)
    )
    print(f"{root}: {imported}; next: {dataset_command('pre_process.py', root)}")


def _check(args: argparse.Namespace, root: Path) -> None:
    if is_voc(root):
        problems = check_labelled(root, args.workers)
    else:
        problems = check_set(root, args.workers, args.backgrounds)
    for problem in problems:
        print(problem)
    if problems:
        raise InputError(f"{root}: {len(problems)} problems, listed above; mend or remove them")
    print(f"{root}: nothing is wrong")


def _merge(args: argparse.Namespace, root: Path) -> None:
    count = 100 if args.per_foreground is None else args.per_foreground
    behind = backgrounds(root, "train", args.backgrounds)
    merged = compose_training_set(root, behind, count, args.merged, args.workers)
    print(f"{merged}: {len(foregrounds(root, 'train')) * count} composites")


def _prepare(args: argparse.Namespace, root: Path) -> None:
    if args.dataset == SAMPLE:
        render(root=root, seed=args.seed or 0, workers=max(1, args.workers))
    present = parts(root)
    if "train" in present:
        store = build_store(root, args.workers, args.snap or 0)
        print(f"{store}: {len(foregrounds(root, 'train'))} training foregrounds")
    if "test" in present:
        count = _per_foreground(args)
        composed = compose_test_set(
            root,
            backgrounds(root, "test", args.backgrounds),
            per_foreground=count,
            radius=tuple(args.trimap_radius or (1, 30)),
            seed=args.seed or 0,
            workers=args.workers,
            photographic=bool(args.photographic),
        )
        print(f"{composed}: {len(foregrounds(root, 'test')) * count} composites")
    if "train" in present:
        print(f"next: {dataset_command('data_gen.py', root)}")


def _per_foreground(args: argparse.Namespace) -> int:
    """How many test composites each foreground has."""
    if args.per_foreground is not None:
        return args.per_foreground
    return 4 if args.dataset == SAMPLE else 20


def _prepare_labels(args: argparse.Namespace, root: Path) -> None:
    if args.dataset == SCENES:
        render_scenes(root, args.seed or 0, max(1, args.workers))
    train, val = (len(labelled(root, part)) for part in ("train", "val"))
    count = len(class_names(root))
    print(f"{root}: {train} pictures to train on, {val} to validate on, {count} classes")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser(__doc__)
    add = parser.add_argument
    add("--dataset", metavar="NAME", help=f"the folder data/NAME ({SAMPLE})")
    folder = {"type": arguments.path, "metavar": "DIR"}
    add("--data-root", **folder, default=Path("data"), help="all data sets (data)")
    add("--backgrounds", **folder, help="test (with --merged training) backgrounds (its bg folder)")
    count = at_most("--per-foreground", 10_000)
    composites = "composites of each foreground (20; 4 of the sample; 100 with --merged)"
    add("--per-foreground", type=count, metavar="N", help=composites)
    add(
        "--trimap-radius",
        type=at_most("--trimap-radius", LARGEST_RADIUS),
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="width of the unknown region in pixels, where the data set has no trimaps (1 30)",
    )
    add(
        "--photographic",
        action="store_true",
        default=None,
        help="test composites that look like photographs: at most 800 pixels, defocus, light, "
        "noise, sharpening, JPEG, trimaps with painted gaps",
    )
    add(
        "--snap",
        type=int,
        choices=range(64),
        metavar="N",
        help="training alpha within N of 0 or 255 becomes 0 or 255; 5 suits mattes that were saved "
        "with losses or predicted by a network (0)",
    )
    seed = "of trimap widths and of the sample (0)"
    add("--seed", type=at_most("--seed", SEED), metavar="N", help=seed)
    add(
        "--workers",
        type=at_most("--workers", 1024),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes; 0 works in this one (one a core)",
    )
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--check", action="store_true", help="list everything wrong in the data set")
    task.add_argument(
        "--merged",
        nargs="?",
        const=".png",
        choices=(".png", ".jpg"),
        help="write all training composites, as the published code does (over 100 GB)",
    )
    task.add_argument(
        "--from",
        dest="source",
        type=arguments.path,
        metavar="SOURCE",
        help="import a data set from a folder, zip or tar",
    )
    add("--kind", metavar="KIND", help="what SOURCE holds; see data/README.md")
    add("--part", choices=("train", "test"), help="where SOURCE goes")
    link = "link to the files instead of copying"
    add("--link", action="store_true", default=None, help=link)
    args = parser.parse_args(argv)
    if bool(args.source) != bool(args.kind):
        raise InputError("pre_process.py: --from and --kind go together; give both")
    if args.source and args.dataset in (None, SAMPLE, SCENES):
        raise InputError(f"{args.source}: goes to a data set of your own; name it with --dataset")
    if args.dataset == "":
        raise InputError("pre_process.py: --dataset is empty; name a folder")
    args.dataset = args.dataset or SAMPLE
    return args


if __name__ == "__main__":
    run(main)
