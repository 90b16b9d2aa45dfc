"""What only training needs, folded into plain weights: the same output from fewer layers."""

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.channels import Norm, Scale, TransposedConv
from models.layers.basic import Unit


@torch.no_grad()
def fold(network: nn.Module, norms: bool) -> None:
    """Fold in place: spectral norms and learned scales, and with `norms` the BatchNorms of units.

    Statistics are those of evaluation mode. A BatchNorm that does not follow a convolution directly
    stays.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            _make_plain(module)
    for unit in [module for module in network.modules() if isinstance(module, Unit)]:
        if isinstance(unit.norm, Scale):
            _fold_scale(unit)
        elif isinstance(unit.norm, Norm) and norms:
            _fold_norm(unit)


def _make_plain(module: nn.Module) -> None:
    """Keep the weight that a parametrization (spectral norm) gives now."""
    weight = module.weight.detach().clone()
    # Not `remove_parametrizations`: it changes the class, which a deep copy shares.
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    module.weight = nn.Parameter(weight)


def _fold_scale(unit: Unit) -> None:
    shape = (1, -1, 1, 1) if isinstance(unit.conv, TransposedConv) else (-1, 1, 1, 1)
    unit.conv.weight.mul_(unit.norm.weight.reshape(shape))
    if unit.conv.bias is not None:
        unit.conv.bias.mul_(unit.norm.weight)
    unit.norm = nn.Identity()


def _fold_norm(unit: Unit) -> None:
    conv, norm = unit.conv, unit.norm
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, *statistics, transpose=isinstance(conv, TransposedConv)
    )
    unit.norm = nn.Identity()
