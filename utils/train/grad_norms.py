"""`--pull`: the gradient of each term of the loss, for choosing weights before a training."""

from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import InputError
from utils.cli.signals import StopRequest
from utils.cli.table import table
from utils.config.options import Config
from utils.data.loader import training_loader
from utils.train.loop import Script, estimate_norms, prepare
from utils.train.objective import Objective

BATCHES = 8  # over which gradients are compared
SETTLING = 40  # batches before these, on which adapters and connectors alone learn


class GradNorm(NamedTuple):
    """A term with its weight: its value, the norm of its gradient, and where that points.

    Args:
        norm: over that of the gradient of all terms to the truth together.
        along: cosine of the angle between both gradients; 1 is the same direction.
    """

    loss: float
    norm: float
    along: float


def grad_norms(objective: Objective, config: Config, script: Script) -> dict[str, GradNorm]:
    """The gradient of each term at the network's weights as they are, means over training batches.

    In float32. Adapters and connectors are newly made, and what they say at first is noise: they
    learn for a while before, the network's weights stay. Statistics of its BatchNorms do not.

    Raises:
        InputError: no data, stages that cannot be compared, or no gradient of the truth's terms.
        SystemExit: a signal asked to stop.
    """
    options = config.loop(script).model_copy(update={"precision": "float32"})
    task, network = objective.task, objective.network
    place, norms = prepare(objective, config, options)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    beside = list(objective.distillation.parameters()) if objective.distillation else []
    settling = SETTLING if beside else 0
    optimizer = torch.optim.Adam(beside, options.lr) if beside else None
    sources, pin = task.sources(), place.device.type == "cuda"
    for one in filter(None, (objective.teacher, network)):
        task.check(one, sources)
    loader = training_loader(sources, options.batch_size, settling + BATCHES, pin)
    if norms and options.estimate_norms:
        estimate_norms(objective, options, place, norms, loader)
    results: dict[str, list[GradNorm]] = {}
    with StopRequest() as stop, loader.batches(stop) as samples:
        for number, sample in enumerate(islice(samples, settling + BATCHES)):
            batch = task.batch(sample, place.device, place.layout)
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
                result = GradNorm(term.item(), (own.norm() / truth.norm()).item(), along)
                results.setdefault(name, []).append(result)
    if stop:
        raise SystemExit(128 + stop.signal)
    return {
        name: GradNorm(*(sum(values) / len(each) for values in zip(*each, strict=True)))
        for name, each in results.items()
    }


def grad_norms_table(results: dict[str, GradNorm]) -> str:
    rows = [
        (name, f"{one.loss:.3g}", f"{one.norm:.3g}", f"{one.along:.2f}")
        for name, one in results.items()
    ]
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
    gradients = torch.autograd.grad(
        term, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient.flatten() for gradient in gradients])
