"""What the cut is held against: the full network with the removed channels silenced."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.channels import Norm, Scale
from models.network import Network


def randomised(network: Network) -> Network:
    """In float64 and evaluation mode, with random norms, scales and statistics."""
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, (Norm, Scale)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, Norm):
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.05, 0.3)
    return network


@contextmanager
def silenced(network: Network, keep: dict[str, list[int]]) -> Iterator[None]:
    """Every writer of a removed channel writes zero meanwhile."""
    before = copy.deepcopy(network.state_dict())
    for module in network.modules():
        if isinstance(module, (Norm, Scale)) and module.writes in keep:
            gone = sorted(set(range(len(module.weight))) - set(keep[module.writes]))
            module.weight.data[gone] = 0
            if isinstance(module, Norm):
                module.bias.data[gone] = 0
    yield
    network.load_state_dict(before)


def picture(height: int = 65, width: int = 70) -> tuple[torch.Tensor, torch.Tensor]:
    """An image and a trimap of all three levels, in float64."""
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)
    trimap = torch.randint(0, 3, (2, 1, height, width), generator=generator)
    return image, trimap.double() * 127.5 / 255


def random_half(width: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(width), max(1, width // 2)))


def check_cut(network: Network, groups: list[str], inputs: tuple[torch.Tensor, ...]) -> None:
    """Hold `cut` of half of each group against `silenced`, to 1e-5 of the output's range."""
    from utils.prune import cut

    keep = {g: random_half(network.plan[g], seed=i) for i, g in enumerate(groups)}
    with torch.no_grad():
        with silenced(network, keep):
            expected = network.compute(*inputs, None)
        small = cut(network, keep)
        got = small.compute(*inputs, None)
        whole = network.compute(*inputs, None)
    assert expected.std() > 0.05
    assert (whole - expected).abs().max() > 1e-3, "the cut must matter"
    assert (got - expected).abs().max() <= 1e-5 * (expected.max() - expected.min())
    assert small.plan == network.plan | {group: len(kept) for group, kept in keep.items()}
