"""Write the network of any checkpoint alone: a published one, a training's, a cut one.

    python convert.py CHECKPOINT OUT.safetensors [--half]

Takes what `test.py --network` takes. OUT holds name, structure, plan and weights, as safetensors
or, with another suffix, as a PyTorch file; --half keeps the weights in float16.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models import files
from utils.command import run
from utils.cost import comparison
from utils.disk.regular import require_target
from utils.networks import open_network


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, or a shipped network")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    parser.add_argument("--half", action="store_true", help="weights in float16")
    args = parser.parse_args(argv)
    require_target("OUT", args.out, [Path(args.checkpoint)])
    network = open_network(args.checkpoint)
    files.save_network(args.out, network, args.half)
    print(comparison({network.name: network}))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
