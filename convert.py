"""Write the network of any checkpoint alone: a published one, a training's, a cut one.

    python convert.py CHECKPOINT OUT.safetensors [--half] [--mean CHECKPOINT]

    python convert.py result/sample/BEST_pruned.tar pruned.safetensors
    python convert.py result/b/BEST_checkpoint.tar b.safetensors --mean result/a/BEST_checkpoint.tar

Reads what `test.py --network` takes, published checkpoints (pretrained/README.md) included, and
says what it found; of a file of no known layout it says how the closest one differs. Nothing in a
file is run. Writes OUT: name, structure, plan and weights, as safetensors or, with another suffix,
as a PyTorch file; --half keeps the weights in float16. With --mean, once or more, its weights are
averaged with those of networks that were trained on from it, or from the same one.
"""

from collections.abc import Sequence

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from pathlib import Path

from models.errors import InputError
from models.files import saving as files
from models.files.mean import mean
from utils.cli.arguments import parser, path
from utils.disk.files import require_target
from utils.networks.cost import comparison
from utils.networks.loading import open_network


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, or a shipped network")
    options.add_argument("out", type=path, metavar="OUT", help="the file to write")
    options.add_argument("--half", action="store_true", help="keep the weights in float16")
    options.add_argument(
        "--mean",
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="another one, with which the weights are averaged; may be repeated",
    )
    args = options.parse_args(argv)
    names = [args.checkpoint, *args.mean]
    for name in args.mean:
        if names.count(name) > 1:
            raise InputError(f"--mean {name}: stands twice; give it once")
    require_target("OUT", args.out, [Path(name) for name in names])
    network = mean({name: open_network(name) for name in names})
    files.save_network(args.out, network, args.half)
    print(comparison({network.name: network}))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
