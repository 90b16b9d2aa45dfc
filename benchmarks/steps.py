"""Samples a second and peak memory of the pruning stage, beside the plain loop.

    python benchmarks/steps.py [--network dim] [--crop 320] [--batch 4] [--device cuda] [--ours]
        [--compile]

The plain loop is what a first script would do: float32 in contiguous layout, the teacher as it was
trained, SPKD with its HW x HW matrices as released, and the loss read at each step. Ours is that of
`train_prune.py` in both precisions. Both have SPKD over four stages, the gates' sparsity, clamped
gradients and Adam; all begin with the same weights and see one random batch that lies on the
device: what loaders make is not in it (benchmarks/loader.py). On the CPU it is processor time
of one thread. On CUDA the plain loop runs with and without TF32, and the peak memory of each is
printed. Targets: 3 times on the CPU at batch 4; on CUDA at batch 16 3 times with TF32 in the plain
loop, 8 times without, in a third of the memory.
"""

import copy
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor, nn

import models
from benchmarks.parts import plain_spatial, random_batch
from benchmarks.timing import fastest, parser, positive, report
from models import Network
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.config.options import Config
from utils.networks.device import autocast, choose, has_bfloat16
from utils.prune import make_sparsity, open_gates
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective
from utils.train.optimizer import clip_gradients, make_optimizer

Step = Callable[[], None]
NETWORKS = ("dim", "indexnet", "gca", "mobile_unet")


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--network", default="dim", choices=NETWORKS, help="(dim)")
    options.add_argument("--crop", type=positive, default=320, metavar="PIXELS", help="(320)")
    options.add_argument("--batch", type=positive, default=4, metavar="N", help="(4)")
    options.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")
    options.add_argument("--ours", action="store_true", help="without the plain loop")
    options.add_argument("--compile", action="store_true", help="ours by train.compile, too")
    options.add_argument("--repeats", type=positive, default=3, metavar="N", help="(3)")
    args = options.parse_args(argv)
    width = 1.0
    if args.toy:
        args.crop, args.batch, args.repeats, width = 64, 2, 1, 1 / 16
    device = choose(args.device)
    config = load(CONFIGS / "train_SPKD.yaml")
    torch.manual_seed(0)
    teacher = models.build(args.network, models.scaled_plan(args.network, width))
    teacher.eval().requires_grad_(False)
    batch = random_batch(args.batch, args.crop)

    cuda = device.type == "cuda"
    steps = {} if args.ours else {"plain": plain_step(config, teacher, batch, device)}
    steps |= {"plain, TF32": with_tf32(steps["plain"])} if cuda and steps else {}
    for precision in ("float32", "bfloat16")[: 1 + has_bfloat16(device)]:
        for way in ("", ", compiled")[: 1 + args.compile]:
            made = our_step(config, teacher, batch, device, precision, compiled=bool(way))
            steps[f"ours, {precision}{way}"] = made
    clock = time.perf_counter if cuda else time.process_time
    seconds = fastest(list(steps.values()), args.repeats, clock)
    for name, taken in zip(steps, seconds, strict=True):
        report(name, args.batch / taken, "samples/s")
        if not args.ours:
            report(f"{name}, against plain", seconds[0] / taken, "times")
        if cuda:
            report(f"{name}, peak memory", peak(steps[name], device), "MB")


def gated(teacher: Network) -> Network:
    """The network of the pruning stage, all of whose gates are open."""
    network = models.build(teacher.name, teacher.plan, **teacher.structure, gates=True)
    network.load_state_dict(teacher.state_dict(), strict=False)
    open_gates(network)
    return network.train()


def moved(batch: MattingBatch, device: torch.device, layout: torch.memory_format) -> MattingBatch:
    parts = (one if one is None else one.to(device, memory_format=layout) for one in batch)
    return MattingBatch(*parts)


def our_step(
    config: Config,
    teacher: Network,
    batch: MattingBatch,
    device: torch.device,
    precision: str,
    compiled: bool = False,
) -> Step:
    """A step of `train_prune.py`."""
    network, layout = gated(teacher), torch.channels_last
    objective = Objective(network, config, copy.deepcopy(teacher))
    objective.to(device, memory_format=layout)
    if compiled:
        objective.compile()
    sparsity = make_sparsity(network, config)
    optimizer = make_optimizer(objective, network, config.train, config.prune.gate_lr)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    batch = moved(batch, device, layout)

    def step() -> None:
        with autocast(device, precision):
            terms, _ = objective(batch)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        sparsity.add_gradient()
        clip_gradients(parameters, config.train)
        optimizer.step()
        synchronise(device)

    return step


def plain_step(config: Config, teacher: Network, batch: MattingBatch, device: torch.device) -> Step:
    """A step as the released code would do it, for the same losses."""
    teacher, network = teacher.to(device), gated(teacher).to(device)
    gates = [module.weight for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    optimizer = torch.optim.Adam(network.parameters(), config.train.lr)
    batch = moved(batch, device, torch.contiguous_format)

    def step() -> None:
        alpha, ours = network.forward_features(batch.image, batch.trimap)
        with torch.no_grad():
            target, theirs = teacher.forward_features(batch.image, batch.trimap)
        loss = alpha_loss(alpha, batch.alpha, batch.unknown)
        loss = loss + alpha_loss(alpha, target, batch.unknown)
        for stage in config.distill.stages:
            maps = ours[stage].activation, theirs[stage].activation
            channels = (one.flatten(2).mT[..., None] for one in maps)
            loss = loss + plain_spatial(*maps) + plain_spatial(*channels)
        optimizer.zero_grad()
        loss.backward()
        for gate in gates:
            gate.grad.add_(config.prune.sparsity * gate.detach().sign())
        nn.utils.clip_grad_value_(network.parameters(), config.train.clip)
        optimizer.step()
        loss.item()
        synchronise(device)

    return step


def alpha_loss(alpha: Tensor, target: Tensor, unknown: Tensor) -> Tensor:
    return ((alpha - target).square() + 1e-12).sqrt()[unknown].mean()


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def with_tf32(step: Step) -> Step:
    """The step with the products of its float32 convolutions and matrices in TF32."""

    def one_step() -> None:
        before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")
        step()
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])

    return one_step


def peak(step: Step, device: torch.device) -> float:
    """Megabytes of a step at its peak, everything that stood before it not counted."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    return (torch.cuda.max_memory_allocated(device) - before) / 1e6


if __name__ == "__main__":
    main()
