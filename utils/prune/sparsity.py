"""Sparsity of the gates by sub-gradient, as in Network Slimming (Liu et al., ICCV 2017)."""

import torch
from torch import Tensor

from models import Network
from utils.prune.gates import gates


class Sparsity:
    """The penalty weight * (encoder_factor * sum_enc |gamma| + sum_dec |gamma|) over the gates of
    all prunable groups; the release counts the one scale before the matte in, too."""

    def __init__(self, network: Network, weight: float, encoder_factor: float) -> None:
        factors = {"encoder": weight * encoder_factor, "decoder": weight}
        self._gates = [
            (g.scale, factors[g.part]) for group in gates(network).values() for g in group
        ]

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the sub-gradient `sign(gamma)` to the gates' gradients; call it after backward."""
        for scale, factor in self._gates:
            scale.grad.add_(scale.sign(), alpha=factor)

    @torch.no_grad()
    def value(self) -> Tensor:
        """The penalty itself, a scalar, for the log."""
        return sum(factor * scale.abs().sum() for scale, factor in self._gates)
