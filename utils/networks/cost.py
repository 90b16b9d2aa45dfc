"""What a network costs: parameters, multiply-accumulates, memory, milliseconds."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from models import Network
from models.channels import Conv, TransposedConv
from utils.cli.table import table
from utils.networks.device import deployed, without_tf32


def parameters(network: Network, plan: Mapping[str, int] | None = None) -> int:
    """How many numbers a deployed network holds: parameters, no statistics, no auxiliary head.

    Args:
        plan: other widths than the network's.
    """
    if plan is not None:
        with torch.device("meta"):
            network = network.blank(plan, **network.structure)
    named = network.named_parameters()
    return sum(value.numel() for name, value in named if not name.startswith("auxiliary."))


def macs(network: Network, height: int, width: int, plan: Mapping[str, int] | None = None) -> int:
    """Multiply-accumulates of convolutions and products of matrices, for one picture of that size.

    Args:
        plan: other widths than the network's.
    """
    written, others = _written(type(network), json.dumps(network.structure), height, width)
    with torch.device("meta"):
        twin = network.blank(plan or network.plan, **network.structure).eval()
        if others:  # they depend on the widths, too
            return _counted(twin, height, width)
        return _multiplied(twin, written)


def memory(network: Network, height: int, width: int, plan: Mapping[str, int] | None = None) -> int:
    """How many numbers the convolutions write for one picture of that size.

    Args:
        plan: other widths than the network's.
    """
    written, _ = _written(type(network), json.dumps(network.structure), height, width)
    with torch.device("meta"):
        twin = network.blank(plan or network.plan, **network.structure)
    return sum(count * twin.get_submodule(name).out_channels for name, count in written.items())


@cache
def _written(
    kind: type[Network], structure: str, height: int, width: int
) -> tuple[Mapping[str, int], int]:
    """The pixels that each convolution writes for a picture of that size, whatever its widths.

    And the multiply-accumulates that do not follow from them: of attention, and of transposed
    convolutions. On the meta device: nothing is computed and no memory is used.
    """
    written: Counter[str] = Counter()
    with torch.device("meta"):
        twin = kind.blank(**json.loads(structure)).eval()
        for name, layer in twin.named_modules():
            if isinstance(layer, (Conv, TransposedConv)):
                layer.register_forward_hook(
                    lambda *call, name=name: written.update({name: call[-1].shape[2:].numel()})
                )
        return written, _counted(twin, height, width) - _multiplied(twin, written)


def _multiplied(network: Network, written: Mapping[str, int]) -> int:
    """The multiply-accumulates of convolutions that write so many pixels."""
    return sum(
        count * network.get_submodule(name).weight.numel() for name, count in written.items()
    )


def _counted(network: Network, height: int, width: int) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*network.example(1, height, width))
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


class Latency:
    """Milliseconds of a network on other plans, on its device.

    Each is measured, deployed, in turns with the network itself, so that it is relative to it: what
    else the machine does may change between two plans.
    """

    def __init__(self, network: Network, side: int) -> None:
        self._network, self._side = network, side
        self._device = next(network.parameters()).device
        self._deployed = deployed(network, self._device)
        (self._whole,) = _settled([self._deployed], side)

    def __call__(self, plan: Mapping[str, int]) -> float:
        other = self._network.blank(plan, **self._network.structure)
        pair = [self._deployed, deployed(other, self._device)]
        whole, time = _settled(pair, self._side)
        return self._whole * time / whole


def _settled(networks: list[Network], side: int, rounds: int = 10) -> list[float]:
    """`milliseconds`, measured until a round finds none that is faster by 2 %."""
    best = milliseconds(networks, side, runs=2)
    for _ in range(rounds - 1):
        again = milliseconds(networks, side, runs=2)
        settled = all(new > 0.98 * old for new, old in zip(again, best, strict=True))
        best = [min(pair) for pair in zip(again, best, strict=True)]
        if settled:
            break
    return best
