"""Score networks or saved mattes: SAD, MSE, Grad, Conn; parameters, MACs, latency.

    python test.py --config configs/train_SPKD.yaml
    python test.py --network FILE --image DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --image DIR --trimap DIR
    python test.py --pred DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --set DIR          (or --pred DIR --set DIR --out DIR)

The first scores the teacher and the pruned network of a config on its composed test set. Without
--alpha, photographs are only matted. --set takes a test set as it is distributed: Composition-1k,
Distinctions-646, alphamatting.com, AIM-500, P3M-500, PPM-100, RWP-636. The last two have no
trimaps: these are made from the truth, unknown is all within --trimap-radius of a change.
The metrics are those of alphamatting.com's Matlab code. Above the networks, a table shows the
floor: the score of the trimap alone, its unknown region filled by distance.

Reads networks and pictures; files that belong together have the same name. Writes mattes, a sheet
of pictures, JSON and CSV into --out. By default this is result/<save_dir>/test, on a test set of
your own result/<save_dir>/test-SET, or result/test/SET for a named network. SET is the folder that
holds it, or the image folder where the others lie elsewhere. With --pred, nothing is written
without --out.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError
from utils import arguments
from utils.bounds import at_most, refuse_given
from utils.command import run
from utils.disk.target import require_folder, require_target
from utils.images.layouts import LAYOUTS
from utils.infer.modes import MODES, PRECISIONS, require_fit, require_values
from utils.score.folders import check_folders
from utils.score.scores import METRICS, REGIONS, Scores, full_label, remarks, summary
from utils.threads import choose_threads

if TYPE_CHECKING:  # what needs packages is imported when the arguments are known to be right
    from utils.options import Config
    from utils.score.request import Sets
    from utils.score.scoring import Scoring

OF_SCORES = ("json", "worst", "workers")  # where there is no truth, they do nothing
INFERENCE = ("mode", "max_size", "halo", "tile", "batch", "precision", "memory_mb")


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    require_target("--json", args.json)
    require_folder("--out", args.out)
    from utils import config as configs
    from utils.score.owned import require_scores

    require_scores(args.json)
    config = configs.load(args.config, args.overrides)
    results = _test_saved(args, config) if args.pred else _test_networks(args, config)
    if args.json and results:
        results[-1].write_json(args.json)


def _test_saved(args: argparse.Namespace, config: "Config") -> list[Scores]:
    from utils.score.saved import run_saved

    label = args.pred.resolve().name  # "." has no name
    sets = _sets(args, config)
    scoring = _scoring(args, sets)
    results = [
        run_saved(pictures, full_label(label, key), args.out, scoring, key)
        for key, pictures in sets.items()
    ]
    _tell(results)
    return results


def _test_networks(args: argparse.Namespace, config: "Config") -> list[Scores]:
    choose_threads()
    from utils.device import choose
    from utils.infer.inference import Inference
    from utils.networks import named_networks, open_network, trained_networks
    from utils.score.matted import run_networks
    from utils.score.request import default_out

    inference = Inference(**_inference(args))
    files = named_networks(args.network or []) or trained_networks(config)
    # Folded, since a spectral norm would be computed anew for each picture.
    networks = {name: open_network(file).folded(norms=False) for name, file in files.items()}
    folders = (args.image, args.alpha, args.trimap)
    sets = _sets(args, config)
    if not any(pictures[0].alpha for pictures in sets.values()):
        refuse_given(args, OF_SCORES, "test.py", "pictures without truth")
    out = args.out or default_out(config, *folders, args.set, named=bool(args.network))
    scoring = _scoring(args, sets)
    named = files if args.network else None  # those of a config are trained again
    device = choose(config.device)
    results = run_networks(networks, sets, device, inference, out, scoring, named)
    for name, file in files.items():
        print(f"{name}: {file}")
    if results:
        sheets = [full_label("sheet", key) for key, one in sets.items() if one[0].alpha]
        print(f"mattes, scores and {', '.join(f'{sheet}.png' for sheet in sheets)} are in {out}")
        _tell(results)
    else:
        places = ", ".join(str(out / name) for name in files)
        print(f"no ground truth to score against; the mattes are in {places}")
    return results


def _tell(results: Sequence[Scores]) -> None:
    for sentence in remarks(results):
        print(sentence)
    print(summary(results))


def _sets(args: argparse.Namespace, config: "Config") -> "Sets":
    from utils.score.request import find_sets

    return find_sets(config, *_asked(args))


def _asked(args: argparse.Namespace) -> tuple:
    folders = (args.image, args.alpha, args.trimap, args.pred, args.set)
    return (*folders, args.layout, args.trimap_radius, args.region)


def _scoring(args: argparse.Namespace, sets: "Sets") -> "Scoring":
    from utils.score.scoring import Scoring, default_workers

    if args.float:
        print("float mattes are scored as they are, not rounded to 8 bits")
    workers = default_workers(sets) if args.workers is None else args.workers
    return Scoring(workers, args.float, args.resume, args.worst or "SAD", args.region)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser(__doc__)
    arguments.add_arguments(parser, "train_SPKD.yaml")
    parser.add_argument("--network", action="append", metavar="NAME_OR_FILE", help="repeatable")
    parser.add_argument("--pred", type=Path, metavar="DIR", help="saved mattes, without a network")
    for name, what in (("image", "images"), ("alpha", "ground truth"), ("trimap", "trimaps")):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"{what} of your test set")
    parser.add_argument("--set", type=Path, metavar="DIR", help="a test set as it is distributed")
    parser.add_argument("--layout", choices=LAYOUTS, help="of --set (recognised)")
    parser.add_argument(
        "--trimap-radius",
        type=int,
        metavar="N",
        help="make trimaps from the truth: unknown is all within N pixels of a change (20 for sets "
        "without trimaps)",
    )
    parser.add_argument(
        "--region",
        choices=REGIONS,
        default="unknown",
        help="score the unknown region or all of the picture (unknown)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the last network's scores")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--workers",
        type=at_most("--workers", 1024),
        metavar="N",
        help="processes that score; 0 scores in this one (one a core, 0 for a few images)",
    )
    parser.add_argument(
        "--float", action="store_true", help="score float mattes without rounding to 8 bits"
    )
    parser.add_argument("--resume", action="store_true", help="keep the scores that are in --out")
    parser.add_argument(
        "--worst", choices=METRICS, help="metric of the sheet of worst images (SAD)"
    )
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
    args = parser.parse_intermixed_args(argv)
    if args.pred and (args.network or args.image):
        raise InputError("test.py: --pred takes no network; leave out --network and --image")
    if args.pred and args.resume and not args.out:
        raise InputError("test.py: --resume goes on with what is in --out; name it")
    if args.pred and args.worst and not args.out:
        raise InputError("test.py: --worst is for a sheet in --out; name it")
    if args.pred:
        refuse_given(args, INFERENCE, "test.py", "--pred")
    if args.image and not args.alpha:
        refuse_given(args, OF_SCORES, "test.py", "--image without --alpha")
    given = _inference(args)
    require_values(given)
    require_fit(given["mode"], given)
    check_folders(*_asked(args))
    return args


def _inference(args: argparse.Namespace) -> dict[str, object]:
    """The options of `Inference` that were given, and the mode."""
    given = {name: getattr(args, name) for name in INFERENCE}
    return {"mode": "whole", **{name: one for name, one in given.items() if one is not None}}


def _halo(text: str) -> int | str:
    return int(text) if text.isdecimal() else text  # which Inference takes or refuses


if __name__ == "__main__":
    run(main)
