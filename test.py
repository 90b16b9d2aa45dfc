"""Score networks or saved mattes: SAD, MSE, Grad, Conn; parameters, MACs, milliseconds.

    python test.py --config configs/train_SPKD.yaml
    python test.py --network FILE --image DIR --alpha DIR --trimap DIR --json FILE
    python test.py --pred DIR --alpha DIR --trimap DIR --json FILE

The first scores the teacher and the pruned network of the config on its composed test set. Mattes,
a sheet of pictures, JSON and CSV go to --out: by default result/<save_dir>/test, or result/test/SET
in the second form, SET being the folder that holds the three, or else the name of the image folder.
The third writes JSON and CSV to --out, nothing without it. Metrics are those of alphamatting.com's
Matlab code.
"""

import argparse
from pathlib import Path

from models.errors import InputError
from utils import config as configs
from utils.command import main
from utils.device import choose
from utils.infer.networks import named_networks, open_network, trained_networks
from utils.options import RESULT, Config
from utils.report.scores import Picture, match, match_saved
from utils.report.test_run import run_networks, run_saved, summary

OUT = (
    "default: result/<save_dir>/test; for --network on one's own set result/test/SET, SET being "
    "the folder that holds the three, or else the name of the image folder"
)


def test() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    configs.add_arguments(parser, "student_SPKD.yaml")
    parser.add_argument("--network", action="append", metavar="NAME_OR_FILE", help="repeatable")
    parser.add_argument("--pred", type=Path, metavar="DIR", help="score these saved mattes instead")
    for folder in ("image", "alpha", "trimap"):
        parser.add_argument(f"--{folder}", type=Path, metavar="DIR", help="of one's own test set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="scores of the last network")
    parser.add_argument("--out", type=Path, metavar="DIR", help=OUT)
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16", "float16"), default="float32"
    )
    arguments = parser.parse_intermixed_args()
    config = configs.load(arguments.config, arguments.overrides)

    if arguments.pred:
        if arguments.network or arguments.image:
            raise InputError("test.py: --pred takes no network; leave out --network and --image")
        label = arguments.pred.resolve().name  # "." has no name
        results = [run_saved(_pictures(arguments, config), label, arguments.out)]
    else:
        named = named_networks(arguments.network or [])
        files = named or trained_networks(config)
        networks = {name: open_network(file) for name, file in files.items()}
        pictures = _pictures(arguments, config)
        out = arguments.out or _default_out(arguments, config)
        results = run_networks(networks, pictures, choose(config.device), arguments.precision, out)
        for name, file in files.items():
            print(f"{name}: {file}")
        print(f"mattes, scores and sheet.png are in {out}")
    print(summary(results))
    if arguments.json:
        results[-1].write_json(arguments.json)


def _pictures(arguments: argparse.Namespace, config: Config) -> list[Picture]:
    """The folders that were named, or else the config's composed test set."""
    folders = (arguments.pred or arguments.image, arguments.alpha, arguments.trimap)
    if all(folders):
        return match_saved(*folders) if arguments.pred else match(*folders)
    if any(folders):
        raise InputError("test.py: --alpha and --trimap go with --image or --pred; give all three")
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        raise InputError(
            f"{composed}: no test set; compose it with pre_process.py "
            f"--dataset {config.data.dataset}, or give --image, --alpha and --trimap"
        )
    return match(*(composed / name for name in ("image", "alpha", "trimap")))


def _default_out(arguments: argparse.Namespace, config: Config) -> Path:
    """The config's folder, unless neither the networks nor the pictures are the config's."""
    if not (arguments.network and arguments.image):
        return config.folder / "test"
    folders = [f.resolve() for f in (arguments.image, arguments.alpha, arguments.trimap)]
    together = len({folder.parent for folder in folders}) == 1
    return RESULT / "test" / (folders[0].parent if together else folders[0]).name


if __name__ == "__main__":
    main(test)
