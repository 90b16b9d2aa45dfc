"""What only training needs, folded into plain weights: the same output from fewer layers."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.channels import Conv, Norm, Scale, TransposedConv
from models.layers.basic import Unit


@torch.no_grad()
def fold(network: nn.Module, norms: bool) -> None:
    """Fold in place: spectral norms and learned scales, and with `norms` the BatchNorms of units.

    Statistics are those of evaluation mode. A BatchNorm that does not follow a convolution directly
    stays.
    """
    modules = list(network.modules())
    for module in modules:
        if parametrize.is_parametrized(module, "weight"):
            _make_plain(module)
    for module in modules:
        if not isinstance(module, Unit):
            continue
        if isinstance(module.norm, Scale):
            _fold_scale(module.conv, module.norm.weight)
            module.norm = nn.Identity()
        elif isinstance(module.norm, Norm) and norms:
            _fold_norm(module.conv, module.norm)
            module.norm = nn.Identity()


def _make_plain(module: nn.Module) -> None:
    """Keep the weight that a parametrization (spectral norm) gives now."""
    weight = module.weight.detach().clone()
    # Not `remove_parametrizations`: it changes the class, which a deep copy shares.
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    module.weight = nn.Parameter(weight)


def _fold_scale(conv: Conv | TransposedConv, factor: Tensor) -> None:
    shape = (1, -1, 1, 1) if isinstance(conv, TransposedConv) else (-1, 1, 1, 1)
    conv.weight.mul_(factor.reshape(shape))
    if conv.bias is not None:
        conv.bias.mul_(factor)


def _fold_norm(conv: Conv | TransposedConv, norm: Norm) -> None:
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(conv, TransposedConv),
    )
