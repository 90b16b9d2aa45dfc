"""Sparsity of the gates, by sub-gradient (Network Slimming, Liu et al., ICCV 2017) or proximal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from models.network import Stages
from utils import distributed
from utils.distill.distillation import require_stages
from utils.prune.gates import all_gates

if TYPE_CHECKING:
    from utils.config.options import Config


class Sparsity:
    """The penalty weight * (encoder_factor * sum_enc |gamma| + sum_dec |gamma|) over the gates.

    Gates that are not trained are not pulled.

    Args:
        fixed: also over the gates of groups that no plan may change, as the release does with the
            scale before the matte.
        proximal: the optimiser does not see the penalty; `shrink` pulls instead. Adam divides a
            gradient by its size, so the sub-gradient pulls with another strength under each
            optimiser and leaves gates near zero. A soft threshold does neither.
    """

    watch = None  # a function of the stages of each training step, for penalties that follow them

    def __init__(
        self,
        network: Network,
        weight: float,
        encoder_factor: float,
        fixed: bool = False,
        proximal: bool = False,
    ) -> None:
        factors = {"encoder": weight * encoder_factor, "decoder": weight}
        self._proximal = proximal
        self._gates = [
            (gate.scale, factors[gate.part])
            for group, gate in all_gates(network)
            if fixed or group in network.plan
        ]

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the sub-gradient `sign(gamma)` to the gates' gradients; call it after backward."""
        if not self._proximal:
            for scale, factor in self._gates:
                if scale.requires_grad:
                    scale.grad.add_(factor * scale.sign())

    @torch.no_grad()
    def shrink(self, optimizer: torch.optim.Optimizer) -> None:
        """Take rate * factor off every |gamma|, down to zero; call it after the optimiser's step.

        The rate is the gate's own learning rate.
        """
        if self._proximal:
            rates = {
                id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]
            }
            for scale, factor in self._gates:
                if scale.requires_grad:
                    left = (scale.abs() - rates[id(scale)] * factor).clamp_min(0)
                    scale.copy_(scale.sign() * left)

    @torch.no_grad()
    def value(self) -> Tensor:
        """The penalty itself, a scalar, for the log."""
        terms = [(factor * scale.abs()).sum() for scale, factor in self._gates]
        return sum(terms, start=torch.zeros(()))


class ContextSparsity(Sparsity):
    """CAP-style: channels that resemble many others of their map are pulled less.

        weight * (strength * sum (1 - beta) |gamma|  over the gates that write a distilled stage
                  + sum |gamma|                      over the others)

    CAP (He et al., WACV 2021) has no public code; this is an approximation of it.

    Args:
        stages: whose maps and norms are looked at.

    Raises:
        InputError: a stage that the network does not have, or that no BatchNorm writes.
    """

    def __init__(
        self,
        network: Network,
        weight: float,
        strength: float,
        stages: tuple[str, ...],
        **form: bool,
    ) -> None:
        super().__init__(network, weight, encoder_factor=1.0, **form)
        self._strength = weight * strength
        places = {id(scale): index for index, (scale, _) in enumerate(self._gates)}
        norms = network.stage_norms()
        require_stages(network, stages)
        for name in stages:
            norm = norms.get(name)
            if norm is None or not norm.gate or norm.writes not in network.plan:
                raise InputError(
                    f"prune.criterion=cap: no gate writes the stage {name} of {network.name}; "
                    "leave it out of distill.stages"
                )
        self._place = {name: places[id(norms[name].weight)] for name in stages}

    def watch(self, stages: Stages) -> None:
        """Weigh the penalty by the stages of a training step."""
        for stage, index in self._place.items():
            scale, _ = self._gates[index]
            factor = self._strength * (1 - context(stages[stage].activation))
            self._gates[index] = scale, factor.to(scale.dtype)


@torch.no_grad()
def context(features: Tensor) -> Tensor:
    """beta: how much each channel has in common with all of its map, (N,C,H,W) to (C,) in [0, 1].

        beta = min-max scaled sum over the batch and the rows of F F',  F = features as (C,HW)

    The row sums are F times the sum of F's rows; where they are all equal, beta is 0.
    """
    maps = features.flatten(2).to(torch.promote_types(features.dtype, torch.float32))
    sums = distributed.average((maps * maps.sum(1, keepdim=True)).sum((0, 2)))
    span = sums.max() - sums.min()
    return (sums - sums.min()) / span.clamp_min(torch.finfo(span.dtype).tiny)


def make_sparsity(network: Network, config: Config) -> Sparsity:
    """The penalty of a config's pruning stage."""
    options = config.prune
    form = {"fixed": options.ties == "max_count"}
    form["proximal"] = options.sparsity_form == "proximal"
    strength = options.sparsity, options.encoder_factor
    if options.criterion == "cap":
        return ContextSparsity(network, *strength, config.distill.stages, **form)
    return Sparsity(network, *strength, **form)
