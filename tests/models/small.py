"""Small networks with random norms, whose outputs depend on all of their channels."""

import torch
from torch import nn

import models
from models.layers.attention import GuidedAttention
from models.network import Network
from tests.silencing import randomised

WIDTHS = {"dim": 1 / 32, "indexnet": 1 / 8, "mobile_unet": 1 / 4}  # else 1 / 16
LEAST = {"gca": 4}  # channels
SHALLOW = {"pspnet": {"blocks": [1, 2, 1, 1], "classes": 5}}
MATTING = ("dim", "dim_vgg", "gca", "indexnet", "mobile_unet")


def small_plan(name: str, **structure) -> dict[str, int]:
    structure = SHALLOW.get(name, {}) | structure
    scaled = models.scaled_plan(name, WIDTHS.get(name, 1 / 16), **structure)
    return {group: max(LEAST.get(name, 1), width) for group, width in scaled.items()}


def small(name: str, gates: bool = False, **structure) -> Network:
    """In float64 and evaluation mode."""
    structure = SHALLOW.get(name, {}) | structure
    torch.manual_seed(0)
    plan = small_plan(name, **structure)
    network = randomised(models.build(name, plan, gates=gates, **structure))
    _enliven(network)
    return network


def _enliven(network: Network) -> None:
    """Change weights of those that would give much the same everywhere."""
    if network.name == "dim_vgg":
        for entry, parameter in network.named_parameters():
            if entry.endswith("conv.bias"):
                nn.init.uniform_(parameter, -0.3, 0.3)
        if network.structure["refine"]:
            nn.init.kaiming_normal_(network.refined.weight)
    if network.name == "gca":
        network.matte_layer.weight.data.mul_(10)
        for module in network.modules():
            if isinstance(module, GuidedAttention):  # else it averages the whole picture
                module.features.conv.weight.data.mul_(20)
    if network.name == "indexnet":
        for k in range(7):
            getattr(network, f"decoder{k}").conv.weight.data.mul_(2)
        network.draft.norm.bias.data.fill_(2)  # else most is cut off at zero
    if network.name == "mobile_unet":
        network.matte_layer.weight.data.mul_(3)
    if network.name == "pspnet":
        network.scores.weight.data.mul_(30)
