"""What a network costs: parameters, multiply-accumulates, milliseconds."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from models import Network, build
from utils.device import without_tf32


def parameters(network: Network) -> int:
    """How many numbers a deployed network holds: trainable parameters, no statistics."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: Network, height: int, width: int) -> int:
    """Multiply-accumulates of the convolutions for one picture of that size.

    Counted on the meta device: nothing is computed and no memory is used.
    """
    with torch.device("meta"):
        twin = build(network.name, network.plan, **network.structure).eval()
        image, trimap = torch.empty(1, 3, height, width), torch.empty(1, 1, height, width)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            twin(image, trimap)
    return counter.get_total_flops() // 2


@torch.inference_mode()
@without_tf32()
def milliseconds(networks: list[Network], side: int = 320, runs: int = 7) -> list[float]:
    """The fastest of `runs` passes of each network over one square picture, batch 1, float32.

    The networks take turns, so that whatever else the machine does falls on all of them.
    """
    device = next(networks[0].parameters()).device
    image, trimap = torch.rand(1, 3, side, side), torch.rand(1, 1, side, side)
    image, trimap = image.to(device), trimap.to(device)
    best = [float("inf")] * len(networks)
    for _ in range(runs + 1):
        for index, network in enumerate(networks):
            start = time.perf_counter()
            network(image, trimap)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best[index] = min(best[index], 1000 * (time.perf_counter() - start))
    return best
