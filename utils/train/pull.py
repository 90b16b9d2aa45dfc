"""How strongly each term of the loss pulls at a network; for choosing weights before a training."""

from itertools import islice
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import InputError
from utils.cli.signals import StopRequest
from utils.cli.table import table
from utils.config.options import Config
from utils.data.loader import training_loader
from utils.networks.device import choose
from utils.train.objective import Objective
from utils.train.optimizer import freeze, freeze_norms

BATCHES = 8  # over which gradients are compared
SETTLING = 40  # batches before these, on which adapters and connectors alone learn


class Pull(NamedTuple):
    """A term with its weight: its value, the norm of its gradient, and where that points.

    Args:
        norm: over that of the gradient of all terms to the truth together.
        along: cosine of the angle between both gradients; 1 is the same direction.
    """

    loss: float
    norm: float
    along: float


def pulls(
    objective: Objective, config: Config, script: Literal["train", "train_prune", "train_pruned"]
) -> dict[str, Pull]:
    """The pull of each term at the network's weights as they are, means over training batches.

    In float32. Adapters and connectors are newly made, and what they say at first is noise: they
    learn for a while before, the network's weights stay. Statistics of its BatchNorms do not.

    Raises:
        InputError: no data, stages that cannot be compared, or no pull of the truth's terms.
        SystemExit: SIGTERM or Ctrl-C.
    """
    options, task, network = config.loop(script), objective.task, objective.network
    device = choose(config.device)
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    if objective.distillation:
        objective.distillation.check_batch(options.batch_size)
    objective.to(device, memory_format=layout).train()
    if options.freeze_norms:
        freeze_norms(network)
    freeze(network, options.frozen)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    beside = [] if objective.distillation is None else list(objective.distillation.parameters())
    settling = SETTLING if beside else 0
    optimizer = torch.optim.Adam(beside, options.lr) if beside else None
    sources = task.sources()
    for one in filter(None, (objective.teacher, network)):
        task.check(one, sources)
    loader = training_loader(sources, options.batch_size, settling + BATCHES, device.type == "cuda")
    found: dict[str, list[Pull]] = {}
    with StopRequest() as stop, loader.batches(stop) as samples:
        for number, sample in enumerate(islice(samples, settling + BATCHES)):
            batch = task.batch(sample, device, layout)
            terms, output = objective(batch)
            if number < settling:
                _learn(optimizer, beside, sum(terms[kind] for kind in objective.distillation.kinds))
                continue
            truth = _gradient(sum(terms[name] for name in task.truth_terms(output, batch)), trained)
            if not truth.any():
                raise InputError(
                    "loss: no term to the truth pulls at what is trained, so there is nothing to "
                    "compare with; give one a weight, or train more layers"
                )
            for name, term in terms.items():
                own = _gradient(term, trained)
                along = F.cosine_similarity(own, truth, dim=0).item()
                pull = Pull(term.item(), (own.norm() / truth.norm()).item(), along)
                found.setdefault(name, []).append(pull)
    if stop:
        raise SystemExit(128 + stop.signal)
    return {
        name: Pull(*(sum(values) / len(each) for values in zip(*each, strict=True)))
        for name, each in found.items()
    }


def told(found: dict[str, Pull]) -> str:
    """A table of them."""
    rows = [(name, f"{p.loss:.3g}", f"{p.norm:.3g}", f"{p.along:.2f}") for name, p in found.items()]
    return table(("term", "loss", "pull", "along the truth"), rows)


def _learn(optimizer: torch.optim.Optimizer, parameters: list[Tensor], loss: Tensor) -> None:
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()


def _gradient(term: Tensor, parameters: list[Tensor]) -> Tensor:
    """The gradient of a term over all parameters, as one vector."""
    if not term.requires_grad:  # of stages that are frozen
        return torch.cat([torch.zeros_like(parameter).flatten() for parameter in parameters])
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            torch.zeros_like(parameter).flatten() if gradient is None else gradient.flatten()
            for gradient, parameter in zip(gradients, parameters, strict=True)
        ]
    )
