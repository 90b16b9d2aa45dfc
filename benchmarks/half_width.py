"""DIM with every width halved against the full network: eager, 320 x 320, on one thread.

    python benchmarks/half_width.py

Target: at least 3 times faster (6,400,515 parameters instead of 25,582,595).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.timing import compare, parser, report

PARSER = parser(__doc__)
if __name__ == "__main__":
    PARSER.parse_args()

import torch

import models

SIDE = 320


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    toy = PARSER.parse_args(argv).toy
    side, repeats = (32, 1) if toy else (SIDE, 5)
    full = models.build("dim").eval()
    half = models.build("dim", models.scaled_plan("dim", 0.5)).eval()
    image, trimap = torch.rand(1, 3, side, side), torch.rand(1, 1, side, side)
    times = compare(lambda: full(image, trimap), lambda: half(image, trimap), repeats)
    report("dim, full width", times.reference, "s")
    report("dim, every width halved", times.ours, "s")
    report("dim, full / halved", times.ratio, "times")


if __name__ == "__main__":
    main()
