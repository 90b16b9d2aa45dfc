"""Which parameters learn, and how fast: optimisers, rates, clipping, frozen layers."""

import logging
import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from models import Network
from models.channels import Norm
from models.errors import InputError
from utils.config.options import TrainConfig
from utils.prune.gates import all_gates

log = logging.getLogger(__name__)


def make_optimizer(
    objective: nn.Module, network: Network, options: TrainConfig, gate_lr: float = 1.0
) -> torch.optim.Optimizer:
    """The optimiser of all that an objective trains; `network` is part of it.

    Each parameter group has a `factor`, by which the learning rate is multiplied.

    Args:
        gate_lr: the factor of the gates; 1 leaves them with the layers that they are part of.

    Raises:
        InputError: `pretrained_lr` for a network without an ImageNet encoder.
    """
    factors: dict[int, float] = {}
    if options.pretrained_lr != 1:
        slow = _pretrained(network, "train.pretrained_lr")
        factors |= {id(parameter): options.pretrained_lr for parameter in slow}
    if gate_lr != 1:
        factors |= {id(gate.scale): gate_lr for _, gate in all_gates(network)}
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for parameter in objective.parameters():
        if parameter.requires_grad:
            groups.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
    groups = [{"params": members, "factor": f} for f, members in groups.items() if members]
    shared = {"weight_decay": options.weight_decay}
    if network.mean.is_cuda:  # one kernel, which skips float16's overflows without being waited for
        shared["fused"] = True
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, options.lr, momentum=options.momentum, **shared)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options.optimizer]
    return kind(groups, options.lr, options.betas, **shared)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Continue with what an optimiser has gathered; rates, decays and such stay this run's.

    Raises:
        InputError: its parameters were divided otherwise, which `pretrained_lr` and `gate_lr` do.
    """
    own = optimizer.state_dict()["param_groups"]
    try:
        # Before it is loaded: `fused` decides where the counts of steps lie.
        groups = [
            group | {"params": before["params"]}
            for group, before in zip(own, state["param_groups"], strict=True)
        ]
        optimizer.load_state_dict({**state, "param_groups": groups})
    except ValueError:
        raise InputError(
            "train.pretrained_lr or prune.gate_lr: was 1 and is no longer, or the other way round; "
            "--resume continues the same training, so restore it, or begin anew with --overwrite"
        ) from None


def scheduled_rate(options: TrainConfig, step: int, total: int) -> float:
    """The learning rate at a step, 0 <= step < total: constant, step or cosine, after a warm-up."""
    return options.lr * schedule_factor(options, step, total)


def schedule_factor(options: TrainConfig, step: int, total: int) -> float:
    """What the learning rate is multiplied with at a step, in (0, 1]."""
    done = step / total
    if done < options.warmup:
        return (step + 1) / (options.warmup * total + 1)
    if options.schedule == "step":
        return options.decay ** sum(done >= milestone for milestone in options.milestones)
    if options.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (done - options.warmup) / (1 - options.warmup)))
    return 1.0


def warn_on_schedule_change(options: TrainConfig, step: int, total: int, before: float) -> None:
    """Say where the rate does not go on from that of the last step, `before`, as scheduled."""
    if step < total and not math.isclose(before, scheduled_rate(options, step - 1, total)):
        log.info(
            "the learning rate was %.3g and goes on at %.3g: its schedule, train.lr or "
            "train.epochs has changed",
            *(before, scheduled_rate(options, step, total)),
        )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate, times the factor of each parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def clip_gradients(parameters: Iterable[nn.Parameter], options: TrainConfig) -> None:
    """Clamp every entry to +- `clip`, then scale all of them down to the norm `clip_norm`."""
    if options.clip:
        nn.utils.clip_grad_value_(parameters, options.clip)
    if options.clip_norm:
        nn.utils.clip_grad_norm_(parameters, options.clip_norm)


def freeze_norms(network: Network) -> list[Norm]:
    """Let the BatchNorms that ImageNet's weights fill keep their statistics in training, too.

    Returns:
        These norms.

    Raises:
        InputError: the network has no ImageNet encoder.
    """
    return _hold_statistics(network, _pretrained(network, "train.freeze_norms"))


def freeze(network: Network, names: Sequence[str]) -> None:
    """Take the layers whose names begin with one of `names` out of the training.

    Raises:
        InputError: no layer's name begins so, or none is left.
    """
    parameters = dict(network.named_parameters())
    for name in names:
        if not any(entry.startswith(name) for entry in parameters):
            known = ", ".join(dict.fromkeys(entry.partition(".")[0] for entry in parameters))
            raise InputError(
                f"train.frozen: no layer of this {network.name} begins with {name!r}; there are "
                f"{known}"
            )
    frozen = [value for entry, value in parameters.items() if entry.startswith(tuple(names))]
    for parameter in frozen:
        parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise InputError("train.frozen: leaves nothing to train; name fewer layers")
    _hold_statistics(network, frozen)


def _hold_statistics(network: Network, parameters: Iterable[nn.Parameter]) -> list[Norm]:
    """Let the BatchNorms that have one of these keep their statistics in training, too."""
    owners = {id(parameter) for parameter in parameters}
    norms = [m for m in network.modules() if isinstance(m, Norm) and id(m.weight) in owners]
    for norm in norms:
        norm.frozen = True
        norm.eval()
    return norms


def _pretrained(network: Network, option: str) -> list[nn.Parameter]:
    encoder = network.encoder()
    if encoder is None:
        raise InputError(f"{option}: {network.name} has no ImageNet encoder; leave it out")
    return [value for name, value in network.named_parameters() if name in encoder.entries]
