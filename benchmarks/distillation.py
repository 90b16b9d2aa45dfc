"""What kinds of distillation add to a training step: seconds of one CPU core.

    python benchmarks/distillation.py

DIM as the teacher and SPKD's fixed student, 320 x 320, batch 4, stages 2 to 5 of the encoder. A
step is the teacher's pass, the student's pass forward and backward, and the optimiser's step, on
random pictures; without distillation and with each kind, in turn. Target: SPKD (spatial and channel
similarity), NST or AT add less than 15 %. `--kinds` names others.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import models
from benchmarks.timing import fastest, parser, report
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.networks.loading import new_network
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective

KINDS = ("spatial,channel", "nst", "at")


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "--kinds", nargs="+", default=KINDS, metavar="A,B", help=f"sums ({' '.join(KINDS)})"
    )
    args = options.parse_args(argv)
    steps = [step(kinds, args.toy) for kinds in ("", *args.kinds)]
    without, *times = fastest(steps, 1 if args.toy else 5, time.process_time)
    report("a step without distillation", without, "s")
    for kinds, seconds in zip(args.kinds, times, strict=True):
        report(f"a step with {kinds}", seconds, "s")
        report(f"{kinds} adds", 100 * (seconds / without - 1), "%")


def step(kinds: str, toy: bool) -> Callable[[], None]:
    """A training step with these kinds; all start from the same weights and see the same batch."""
    width = ("network.width=0.0625", "distill.stages=[encoder2,encoder3]") if toy else ()
    kind = f"distill.types=[{kinds}]" if kinds else "loss.kd=0"
    config = load(CONFIGS / "student_SPKD.yaml", [*width, kind])
    plan = models.scaled_plan("dim", 0.125) if toy else None
    student = new_network(config, resume=False)
    teacher = models.build("dim", plan).eval().requires_grad_(False)
    objective = Objective(student, config, teacher).train()
    optimizer = torch.optim.Adam(objective.parameters(), 1e-4)

    side, count = (32, 2) if toy else (320, 4)
    torch.manual_seed(0)
    image, alpha = (torch.rand(count, channels, side, side) for channels in (3, 1))
    trimap = torch.full_like(alpha, 0.5)
    batch = MattingBatch(image, trimap, alpha, trimap == 0.5, None, None)

    def one_step() -> None:
        terms, _ = objective(batch)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        optimizer.step()

    return one_step


if __name__ == "__main__":
    main()
