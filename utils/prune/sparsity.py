"""Sparsity of the gates by sub-gradient, as in Network Slimming (Liu et al., ICCV 2017)."""

import torch
from torch import Tensor

from models import Network
from utils.prune.gates import all_gates


class Sparsity:
    """The penalty weight * (encoder_factor * sum_enc |gamma| + sum_dec |gamma|) over the gates.

    Args:
        fixed: also over the gates of groups that no plan may change, as the release does with the
            scale before the matte.
    """

    def __init__(
        self, network: Network, weight: float, encoder_factor: float, fixed: bool = False
    ) -> None:
        factors = {"encoder": weight * encoder_factor, "decoder": weight}
        self._gates = [
            (gate.scale, factors[gate.part])
            for group, gate in all_gates(network)
            if fixed or group in network.plan
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
