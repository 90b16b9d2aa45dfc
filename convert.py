"""Write the network of any checkpoint alone: a published one, a training's, a cut one.

    python convert.py CHECKPOINT OUT.safetensors [--half] [--mean CHECKPOINT]

    python convert.py result/sample/BEST_pruned.tar pruned.safetensors
    python convert.py result/b/BEST_checkpoint.tar b.safetensors --mean result/a/BEST_checkpoint.tar

Reads what `test.py --network` takes, published checkpoints (pretrained/README.md) included, and
says what it found; of a file of no known layout it says how the closest one differs. Nothing in a
file is run. Writes OUT: name, structure, plan and weights, as safetensors or, with another suffix,
as a PyTorch file; --half keeps the weights in float16. With --mean, once or more, its weights are
averaged with those of networks that were trained on from it, or from the same one. An older OUT is
replaced if it is a network alone and no shipped one.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
import models
from models.errors import InputError
from models.files import saving as files
from models.files.mean import mean
from utils.cli.arguments import parser, path
from utils.cli.files import require_target
from utils.networks.cost import comparison

NETWORK_ALONE = {"kind", "name", "structure", "plan", "weights"}


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "checkpoint",
        type=os.path.expanduser,
        metavar="CHECKPOINT",
        help="a file, or a shipped network",
    )
    options.add_argument("out", type=path, metavar="OUT", help="the file to write")
    options.add_argument("--half", action="store_true", help="keep the weights in float16")
    options.add_argument(
        "--mean",
        type=os.path.expanduser,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="another one, with which the weights are averaged; may be repeated",
    )
    args = options.parse_args(argv)
    names = [args.checkpoint, *args.mean]
    paths = [files.network_path(name).resolve() for name in names]
    for name, read in zip(names, paths, strict=True):
        if paths.count(read) > 1:
            raise InputError(f"--mean {name}: stands twice; give it once")
    require_target("OUT", args.out, paths)
    _require_replaceable(args.out)
    network = mean({name: models.load(name) for name in names})
    files.save_network(args.out, network, args.half)
    print(comparison({network.name: network}))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


def _require_replaceable(out: Path) -> None:
    """Raise an `InputError` where `out` is there and is not what this script writes."""
    if not out.exists():
        return
    if out.resolve() in files.shipped_networks().values():
        raise InputError(f"OUT {out}: is a shipped network; name another file")
    try:
        content = files.read(out) or {}
    except InputError:
        content = {}
    if content.keys() != NETWORK_ALONE:
        raise InputError(f"OUT {out}: is there already, and no network alone; name another file")


if __name__ == "__main__":
    run(main)
