"""Score networks or saved mattes: SAD, MSE, Grad, Conn; parameters, MACs, milliseconds.

    python test.py --config configs/train_SPKD.yaml
    python test.py --network FILE --image DIR --alpha DIR --trimap DIR --json FILE
    python test.py --pred DIR --alpha DIR --trimap DIR --json FILE
    python test.py --network FILE --set DIR          (or --pred DIR --set DIR --out DIR)

The first scores the teacher and the pruned network of the config on its composed test set. Mattes,
a sheet of pictures, JSON and CSV go to --out: by default result/<save_dir>/test, or result/test/SET
in the second form, SET being the folder that holds the three, or else the name of the image folder.
The third writes its scores to --out, nothing without it. --set takes a test set as it comes:
Composition-1k, Distinctions-646, alphamatting.com, AIM-500. Metrics are those of alphamatting.com's
Matlab code.
"""

import argparse
import os
from pathlib import Path

from models.errors import InputError
from utils import config as configs
from utils.command import main
from utils.images.layouts import LAYOUTS
from utils.options import RESULT, Config
from utils.score.pictures import Picture, match, match_saved
from utils.score.saved import run_saved
from utils.score.scores import METRICS, Scores
from utils.score.scoring import Scoring
from utils.score.sets import open_set, saved_in
from utils.table import table

OUT = (
    "default: result/<save_dir>/test; for --network on one's own set result/test/SET, SET being "
    "the folder that holds the three, or else the name of the image folder"
)
FEW = 50  # pictures; fewer are scored before other processes have started
Sets = dict[str, list[Picture]]


def test() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    configs.add_arguments(parser, "student_SPKD.yaml")
    parser.add_argument("--network", action="append", metavar="NAME_OR_FILE", help="repeatable")
    parser.add_argument("--pred", type=Path, metavar="DIR", help="score these saved mattes instead")
    for folder in ("image", "alpha", "trimap"):
        parser.add_argument(f"--{folder}", type=Path, metavar="DIR", help="of one's own test set")
    parser.add_argument("--set", type=Path, metavar="DIR", help="a test set as it comes, instead")
    parser.add_argument("--layout", choices=LAYOUTS, help="of --set; default: recognised")
    parser.add_argument("--json", type=Path, metavar="FILE", help="scores of the last network")
    parser.add_argument("--out", type=Path, metavar="DIR", help=OUT)
    sizes = parser.add_argument_group("how a picture is matted")
    sizes.add_argument(
        "--mode",
        choices=("whole", "auto", "tile", "resize", "crop", "half"),
        default="whole",
        help="whole: as published; tile: in bounded memory; auto: the cheaper of the two; resize, "
        "crop, half: as others published, distorted (whole)",
    )
    sizes.add_argument(
        "--halo",
        type=_halo,
        metavar="N",
        help="pixels that a tile sees beyond its core; full: all that matters, for the matte of "
        "whole (full; 128 for networks that see the whole picture at once)",
    )
    sizes.add_argument(
        "--tile",
        type=int,
        metavar="N",
        help="of N x N pixels at most, halo included (1024); small ones need --halo 128",
    )
    sizes.add_argument("--batch", type=int, metavar="N", help="tiles at once (1)")
    sizes.add_argument(
        "--max-size", type=int, metavar="N", help="of a side, for resize (1600) and crop (320)"
    )
    sizes.add_argument(
        "--memory-mb", type=int, metavar="N", help="that auto may use (four fifths of the free)"
    )
    sizes.add_argument("--precision", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument(
        "--workers",
        type=int,
        help=f"processes that score; 0: this one alone, as for fewer than {FEW} pictures",
    )
    parser.add_argument(
        "--float", action="store_true", help="score float mattes as they are, not in 8 bits"
    )
    parser.add_argument("--resume", action="store_true", help="keep what was scored before")
    parser.add_argument(
        "--worst", choices=METRICS, default="SAD", help="chooses the sheet of the worst pictures"
    )
    arguments = parser.parse_intermixed_args()
    config = configs.load(arguments.config, arguments.overrides)
    results = _saved(arguments, config) if arguments.pred else _networks(arguments, config)
    if arguments.json and results:
        results[-1].write_json(arguments.json)


def _saved(arguments: argparse.Namespace, config: Config) -> list[Scores]:
    if arguments.network or arguments.image:
        raise InputError("test.py: --pred takes no network; leave out --network and --image")
    if arguments.resume and not arguments.out:
        raise InputError("test.py: --resume goes on with what is in --out; name it")
    label = arguments.pred.resolve().name  # "." has no name
    sets = _sets(arguments, config)
    scoring = _scoring(arguments, sets)
    _tell_exact(scoring)
    results = [
        run_saved(pictures, f"{label}-{key}" if key else label, arguments.out, scoring)
        for key, pictures in sets.items()
    ]
    print(table(["network", *METRICS], [result.cells() for result in results]))
    return results


def _networks(arguments: argparse.Namespace, config: Config) -> list[Scores]:
    # Here, since the processes that score import this file, and PyTorch would take them seconds.
    from utils.device import choose
    from utils.infer.inference import Inference
    from utils.networks import named_networks, open_network, trained_networks
    from utils.score.matted import run_networks, summary

    named = named_networks(arguments.network or [])
    files = named or trained_networks(config)
    networks = {name: open_network(file) for name, file in files.items()}
    sets = _sets(arguments, config)
    out = arguments.out or _default_out(arguments, config)
    scoring = _scoring(arguments, sets)
    inference = Inference(
        **{
            name: getattr(arguments, name)
            for name in ("mode", "max_size", "halo", "tile", "batch", "precision", "memory_mb")
            if getattr(arguments, name) is not None
        }
    )
    _tell_exact(scoring)
    results = run_networks(networks, sets, choose(config.device), inference, out, scoring)
    for name, file in files.items():
        print(f"{name}: {file}")
    if results:
        print(f"mattes, scores and sheet.png are in {out}")
        print(summary(results))
    else:
        places = ", ".join(str(out / name) for name in files)
        print(f"no truth to score against; the mattes are in {places}")
    return results


def _tell_exact(scoring: Scoring) -> None:
    if scoring.exact:
        print("float mattes are scored as they are, not rounded to 8 bits")


def _halo(text: str) -> int | str:
    return int(text) if text.isdecimal() else text  # which Inference takes or refuses


def _scoring(arguments: argparse.Namespace, sets: Sets) -> Scoring:
    workers = arguments.workers
    if workers is None:
        many = max(len(pictures) for pictures in sets.values()) >= FEW
        workers = (os.cpu_count() or 1) if many else 0
    return Scoring(workers, arguments.float, arguments.resume, arguments.worst)


def _sets(arguments: argparse.Namespace, config: Config) -> Sets:
    """The test set or the folders that were named, or else the config's composed test set."""
    folders = (arguments.pred or arguments.image, arguments.alpha, arguments.trimap)
    if arguments.set:
        if arguments.image or arguments.alpha or arguments.trimap:
            raise InputError("test.py: --set brings its own --image, --alpha and --trimap")
        sets = open_set(arguments.set, arguments.layout)
        return saved_in(sets, arguments.pred) if arguments.pred else sets
    if arguments.layout:
        raise InputError("test.py: --layout is that of a --set; name its folder")
    if all(folders):
        return {"": match_saved(*folders) if arguments.pred else match(*folders)}
    if any(folders):
        raise InputError("test.py: --alpha and --trimap go with --image or --pred; give all three")
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        raise InputError(
            f"{composed}: no test set; compose it with pre_process.py "
            f"--dataset {config.data.dataset}, or give --image, --alpha and --trimap"
        )
    return {"": match(*(composed / name for name in ("image", "alpha", "trimap")))}


def _default_out(arguments: argparse.Namespace, config: Config) -> Path:
    """The config's folder, unless neither the networks nor the pictures are the config's."""
    if arguments.network and arguments.set:
        return RESULT / "test" / arguments.set.resolve().name
    if not (arguments.network and arguments.image):
        return config.folder / "test"
    folders = [f.resolve() for f in (arguments.image, arguments.alpha, arguments.trimap)]
    together = len({folder.parent for folder in folders}) == 1
    return RESULT / "test" / (folders[0].parent if together else folders[0]).name


if __name__ == "__main__":
    main(test)
