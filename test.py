"""Score networks or saved mattes: SAD, MSE, Grad, Conn or mIoU; parameters, MACs, latency.

    python test.py --config configs/train_SPKD.yaml
    python test.py --network FILE --image DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --image DIR --trimap DIR
    python test.py --pred DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --set DIR          (or --pred DIR --set DIR --out DIR)
    python test.py --config configs/voc_pspnet.yaml  (or --network FILE --label DIR)

The first scores the teacher and the pruned network of a config on its composed test set. Without
--alpha, photographs are only matted. --set takes a test set as it is distributed: Composition-1k,
Distinctions-646, alphamatting.com, AIM-500, P3M-500, PPM-100, RWP-636. The last two have no
trimaps: these are made from the truth, unknown is all within --trimap-radius of a change.
The metrics are those of alphamatting.com's Matlab code. Above the networks, a table shows the
floor: the score of the trimap alone, its unknown region filled by distance.

Networks for segmentation are scored on the val list of the config's data set: intersection over
union of each class, their mean, pixel accuracy. --label labels the pictures of a folder.

Reads networks and pictures; files that belong together have the same name. Writes mattes or label
maps, a sheet of pictures, JSON and CSV into --out. By default this is result/<save_dir>/test, on a
test set of your own result/<save_dir>/test-SET, or result/test/SET for a named network. SET is the
folder that holds it, or the image folder where the others lie elsewhere. With --pred, nothing is
written without --out.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.errors import InputError
from utils.cli import arguments
from utils.cli.arguments import at_most, refuse_given
from utils.cli.command import run
from utils.disk.target import require_folder, require_target
from utils.images.layouts import LAYOUTS
from utils.infer.arguments import INFERENCE, add_inference, given_inference
from utils.infer.modes import require_fit, require_values
from utils.score.folders import check_folders
from utils.score.scores import METRICS, REGIONS, Scores, full_label, remarks, summary

if TYPE_CHECKING:  # what needs packages is imported when the arguments are known to be right
    from models import Network
    from utils.config.options import Config
    from utils.infer.inference import Inference
    from utils.score.request import Sets
    from utils.score.scoring import Scoring

OF_SCORES = ("json", "worst", "workers")  # where there is no truth, they do nothing
OF_MATTING = ("image", "alpha", "trimap", "set", "region", "resume", "worst", "float", "workers")


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
    print("\n".join([*remarks(results), summary(results)]))
    return results


def _test_networks(args: argparse.Namespace, config: "Config") -> list:
    from utils.infer.inference import Inference
    from utils.networks.loading import common_task, named_networks, open_network, trained_networks

    inference = Inference(**given_inference(args))
    files = named_networks(args.network or []) or trained_networks(config)
    # Spectral norms and learned scales are no part of what is deployed, and so not counted.
    networks = {name: open_network(file).folded(norms=False) for name, file in files.items()}
    named = files if args.network else None  # those of a config are trained again
    if common_task(networks) == "segmentation":
        results, told = _label(args, config, networks, named)
    else:
        results, told = _matte(args, config, networks, named, inference)
    for name, file in files.items():
        print(f"{name}: {file}")
    print(told)
    return results


def _matte(
    args: argparse.Namespace,
    config: "Config",
    networks: dict[str, "Network"],
    named: dict[str, str] | None,
    inference: "Inference",
) -> tuple[list[Scores], str]:
    from utils.networks.device import choose
    from utils.score.matted import run_networks
    from utils.score.request import default_out

    if args.label:
        raise InputError("--label: is for segmentation; give --image and --trimap")
    folders = (args.image, args.alpha, args.trimap)
    sets = _sets(args, config)
    if not any(pictures[0].alpha for pictures in sets.values()):
        refuse_given(args, OF_SCORES, "test.py", "pictures without truth")
    out = args.out or default_out(config, *folders, args.set, named=bool(args.network))
    scoring = _scoring(args, sets)
    results = run_networks(networks, sets, choose(config.device), inference, out, scoring, named)
    if not results:
        places = ", ".join(str(out / name) for name in networks)
        return results, f"no ground truth to score against; the mattes are in {places}"
    sheets = [full_label("sheet", key) for key, one in sets.items() if one[0].alpha]
    told = f"mattes, scores and {', '.join(f'{sheet}.png' for sheet in sheets)} are in {out}"
    return results, "\n".join([told, *remarks(results), summary(results)])


def _label(
    args: argparse.Namespace,
    config: "Config",
    networks: dict[str, "Network"],
    named: dict[str, str] | None,
) -> tuple[list, str]:
    from utils.networks.device import choose
    from utils.score.label_request import pictures_to_label
    from utils.score.label_scores import summary_by_class
    from utils.score.labelled import LabelTest
    from utils.score.request import default_out

    for name, default in (("region", "unknown"), ("resume", False), ("float", False)):
        if getattr(args, name) == default:
            setattr(args, name, None)  # not given
    refuse_given(args, (*OF_MATTING, *INFERENCE), "test.py", "segmentation")
    if args.label:
        refuse_given(args, OF_SCORES, "test.py", "--label")
    pictures, classes = pictures_to_label(config, networks, args.label)
    out = args.out or default_out(config, whole=args.label, named=bool(named))
    results = LabelTest(pictures, classes, choose(config.device), out, named or {}).run(networks)
    if not results:
        return results, f"no ground truth to score against; the label maps are in {out}"
    told = f"label maps, scores and sheet.png are in {out}"
    return results, f"{told}\n{summary_by_class(results)}"


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
    parser.add_argument(
        "--pred", type=arguments.path, metavar="DIR", help="saved mattes, without a network"
    )
    for name, what in (("image", "images"), ("alpha", "ground truth"), ("trimap", "trimaps")):
        parser.add_argument(
            f"--{name}", type=arguments.path, metavar="DIR", help=f"{what} of your test set"
        )
    parser.add_argument(
        "--label", type=arguments.path, metavar="DIR", help="pictures to label, for segmentation"
    )
    parser.add_argument(
        "--set", type=arguments.path, metavar="DIR", help="a test set as it is distributed"
    )
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
    parser.add_argument(
        "--json", type=arguments.path, metavar="FILE", help="write the last network's scores"
    )
    parser.add_argument("--out", type=arguments.path, metavar="DIR", help="folder of the results")
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
    add_inference(parser)
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
    given = given_inference(args)
    require_values(given)
    require_fit(given["mode"], given)
    check_folders(*_asked(args))
    return args


if __name__ == "__main__":
    run(main)
