"""Score networks or saved mattes: SAD, MSE, Grad, Conn or mIoU; parameters, MACs, latency.

    python test.py --config configs/train_SPKD.yaml
    python test.py --network FILE --image DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --image DIR --trimap DIR
    python test.py --pred DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --set DIR          (or --pred DIR --set DIR --out DIR)
    python test.py --config configs/voc_pspnet.yaml  (or --network FILE --label DIR)

The first scores the teacher and the pruned network of a config on its composed test set; without
--alpha, photographs are only matted. --set takes a test set as it is distributed (docs/testing.md
has the list). Networks for segmentation are scored on the val list of the config's data set.

Reads networks and pictures; files that belong together have the same name. Writes mattes or label
maps, sheets, JSON and CSV into --out, by default result/<save_dir>/test, for a test set of your own
result/<save_dir>/test-SET-TRIMAP, for a named network result/test/SET-TRIMAP; with --pred only if
--out is given. A test replaces what an earlier one wrote there; --resume keeps its mattes.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils.cli import arguments
from utils.cli.arguments import at_most, refuse_given
from utils.cli.files import require_folder, require_target
from utils.config import load
from utils.config.options import Config
from utils.images.layouts import LAYOUTS
from utils.infer.options import INFERENCE, add_inference, given_inference
from utils.score.scores import METRICS, REGIONS, full_label, summary
from utils.score.scoring import Scoring, run_saved
from utils.score.sets import Folders, default_out, find_sets

if TYPE_CHECKING:  # PyTorch is imported for networks alone: each scoring process imports this file
    from models import Network

OF_SCORES = ("json", "worst", "workers")  # where there is no truth, they do nothing
OF_MATTING = ("image", "alpha", "trimap", "set", "region", "resume", "worst", "float", "workers")
Results = tuple[list, str]  # the scores of each network, and what is printed of them


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    require_target("--json", args.json)
    require_folder("--out", args.out)
    config = load(args.config, args.overrides)
    results, text = (_test_saved if args.pred else _test_networks)(args, config)
    print(text)
    if args.json and results:
        results[-1].write_json(args.json)


def _test_saved(args: argparse.Namespace, config: Config) -> Results:
    label = args.pred.resolve().name  # "." has no name
    sets, scoring = find_sets(config, _folders(args)), _scoring(args)
    results = [
        run_saved(pictures, full_label(label, key), args.out, scoring, key)
        for key, pictures in sets.items()
    ]
    return results, summary(results)


def _test_networks(args: argparse.Namespace, config: Config) -> Results:
    import models
    from utils.networks.loading import common_task, named_networks, trained_networks

    files = named_networks(args.network or []) or trained_networks(config)
    # Spectral norms and learned scales are no part of what is deployed, and so not counted.
    networks = {name: models.load(file).folded(norms=False) for name, file in files.items()}
    test = _label if common_task(networks) == "segmentation" else _matte
    results, text = test(args, config, networks)
    sources = [f"{name}: {file}" for name, file in files.items() if name != str(file)]
    return results, "\n".join([*sources, text])


def _matte(args: argparse.Namespace, config: Config, networks: dict[str, "Network"]) -> Results:
    from utils.infer.inference import Inference
    from utils.networks.device import choose
    from utils.score.matting import run_networks

    if args.label:
        raise InputError("--label: is for segmentation; give --image and --trimap")
    folders = _folders(args)
    sets = find_sets(config, folders)
    scored = {key: pictures for key, pictures in sets.items() if pictures[0].alpha}
    if not scored:
        refuse_given(args, OF_SCORES, "test.py", "pictures without truth")
    out = args.out or default_out(config, folders, named=bool(args.network))
    inference = Inference(**given_inference(args))
    results = run_networks(networks, sets, choose(config.device), inference, out, _scoring(args))
    if not results:
        places = ", ".join(str(out / name) for name in networks)
        count = len(networks) * sum(map(len, sets.values()))
        return results, f"Wrote {count} mattes to {places} (no ground truth, so no scores)."
    sheets = ", ".join(f"{full_label('sheet', key)}.png" for key in scored)
    return results, f"mattes, scores and {sheets} are in {out}\n{summary(results)}"


def _label(args: argparse.Namespace, config: Config, networks: dict[str, "Network"]) -> Results:
    from utils.networks.device import choose
    from utils.score.segmentation import pictures_to_label, run_networks, summary_by_class

    refuse_given(args, (*OF_MATTING, *INFERENCE), "test.py", "segmentation")
    if args.label:
        refuse_given(args, OF_SCORES, "test.py", "--label")
    pictures, classes = pictures_to_label(config, networks, args.label)
    out = args.out or default_out(config, Folders(whole=args.label), named=bool(args.network))
    results = run_networks(networks, pictures, classes, choose(config.device), out)
    if not results:
        count = len(networks) * len(pictures)
        return results, f"Wrote {count} label maps to {out} (no ground truth, so no scores)."
    return results, f"label maps, scores and sheet.png are in {out}\n{summary_by_class(results)}"


def _folders(args: argparse.Namespace) -> Folders:
    places = (args.image, args.alpha, args.trimap, args.pred, args.set)
    return Folders(*places, args.layout, args.trimap_radius, args.region or "unknown")


def _scoring(args: argparse.Namespace) -> Scoring:
    if args.float:
        print("float mattes are scored as they are, not rounded to 8 bits")
    flags = bool(args.float), bool(args.resume)
    return Scoring(args.workers, *flags, args.worst or "SAD", args.region or "unknown")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser(__doc__)
    arguments.add_arguments(parser, "train_SPKD.yaml")
    add, path, expand = parser.add_argument, arguments.path, os.path.expanduser
    add("--network", type=expand, action="append", metavar="NAME_OR_FILE", help="repeatable")
    for name, words in (
        ("pred", "saved mattes, without a network"),
        ("image", "images of your test set"),
        ("alpha", "ground truth of your test set"),
        ("trimap", "trimaps of your test set"),
        ("label", "pictures to label, for segmentation"),
        ("set", "a test set as it is distributed"),
        ("out", "folder of the results"),
    ):
        add(f"--{name}", type=path, metavar="DIR", help=words)
    add("--layout", choices=LAYOUTS, help="of --set (recognised)")
    radius = "make trimaps from the truth: unknown is all within N pixels of a change (20 for sets "
    add("--trimap-radius", type=int, metavar="N", help=radius + "without trimaps)")
    region = "score the unknown region or all of the picture (unknown)"
    add("--region", choices=REGIONS, help=region)
    add("--json", type=path, metavar="FILE", help="write the last network's scores")
    workers = "processes that score; 0 scores in this one (one a core, 0 for a few images)"
    add("--workers", type=at_most("--workers", 1024), metavar="N", help=workers)
    exact = "score float mattes without rounding to 8 bits"
    add("--float", action="store_true", default=None, help=exact)
    resume = "keep the mattes that are in --out"
    add("--resume", action="store_true", default=None, help=resume)
    add("--worst", choices=METRICS, help="metric of the sheet of worst images (SAD)")
    add_inference(parser)
    args = parser.parse_intermixed_args(argv)
    if args.pred:
        if args.network or args.image:
            raise InputError("test.py: --pred takes no network; leave out --network and --image")
        if args.worst and not args.out:
            raise InputError("test.py: --worst is for a sheet in --out; name it")
        refuse_given(args, (*INFERENCE, "label"), "test.py", "--pred")
    if args.image and not args.alpha:
        refuse_given(args, OF_SCORES, "test.py", "--image without --alpha")
    given_inference(args)  # refuses what does not go together
    return args


if __name__ == "__main__":
    run(main)
