"""Write the network of any checkpoint alone: a published one, a training's, a cut one.

    python convert.py CHECKPOINT OUT.safetensors [--half]

    python convert.py result/sample/BEST_pruned.tar pruned.safetensors

Reads what `test.py --network` takes, published checkpoints (pretrained/README.md) included, and
says what it found; of a file of no known layout it says how the closest one differs. Nothing in a
file is run. Writes OUT: name, structure, plan and weights, as safetensors or, with another suffix,
as a PyTorch file; --half keeps the weights in float16.
"""

from collections.abc import Sequence
from pathlib import Path

from utils.arguments import parser
from utils.command import run
from utils.disk.target import require_target


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, or a shipped network")
    options.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    options.add_argument("--half", action="store_true", help="keep the weights in float16")
    args = options.parse_args(argv)
    require_target("OUT", args.out, [Path(args.checkpoint)])
    from models import files
    from utils.cost import comparison
    from utils.networks import open_network

    network = open_network(args.checkpoint)
    files.save_network(args.out, network, args.half)
    print(comparison({network.name: network}))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
