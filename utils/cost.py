"""What a network costs: parameters, multiply-accumulates, milliseconds."""

import time
from collections.abc import Mapping

import torch
from torch.utils.flop_counter import FlopCounterMode

from models import Network
from utils.device import without_tf32
from utils.table import table


def parameters(network: Network) -> int:
    """How many numbers a deployed network holds: trainable parameters, no statistics."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: Network, height: int, width: int) -> int:
    """Multiply-accumulates of the convolutions for one picture of that size.

    Counted on the meta device: nothing is computed and no memory is used.
    """
    with torch.device("meta"):
        twin = network.blank(network.plan, **network.structure).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            twin(*twin.example(1, height, width))
    return counter.get_total_flops() // 2


def comparison(networks: Mapping[str, Network]) -> str:
    """A table of what networks cost, by label."""
    rows = [
        (label, f"{parameters(one):,}", f"{macs(one, 224, 224) / 1e9:.2f} G")
        for label, one in networks.items()
    ]
    return table(("network", "parameters", "MACs at 224"), rows)


@torch.inference_mode()
@without_tf32()
def milliseconds(networks: list[Network], side: int = 320, runs: int = 7) -> list[float]:
    """The fastest of `runs` passes of each network over one square picture, batch 1, float32.

    The networks take turns, so that whatever else the machine does falls on all of them.
    """
    device = next(networks[0].parameters()).device
    inputs = [torch.rand_like(one) for one in networks[0].example(1, side, side)]
    best = [float("inf")] * len(networks)
    for _ in range(runs + 1):
        for index, network in enumerate(networks):
            start = time.perf_counter()
            network(*inputs)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best[index] = min(best[index], 1000 * (time.perf_counter() - start))
    return best
