"""`--pull`: the gradient of each term of the loss, for choosing weights before a training."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import InputError
from utils import distributed
from utils.cli.progress import progress_bar
from utils.cli.signals import StopRequest
from utils.cli.table import table
from utils.config.options import Config
from utils.tasks import Batch
from utils.train.loop import Script
from utils.train.objective import Objective
from utils.train.setup import Setup

BATCHES = 8  # over which gradients are compared
WINDOW = 20  # batches whose mean tells whether adapters and connectors still learn
LONGEST = 600  # batches for which they may
STILL = 0.99  # they have settled when the mean is no less than this times that of the window before


class GradNorm(NamedTuple):
    """A term with its weight: its value, the norm of its gradient, and where that points.

    Args:
        norm: over that of the gradient of all terms to the truth together.
        along: cosine of the angle between both gradients; 1 is the same direction.
    """

    loss: float
    norm: float
    along: float


class GradNorms(NamedTuple):
    """Terms by name; those with adapters or connectors, and for how many batches these learned."""

    terms: dict[str, GradNorm]
    adapted: tuple[str, ...]
    settled: int


def grad_norms(objective: Objective, config: Config, script: Script) -> GradNorms:
    """The gradient of each term at the network's weights as they are, means over training batches.

    In float32. Adapters and connectors are newly made, and what they say at first is noise: they
    learn, while the network's weights stay, until their terms no longer fall.

    Raises:
        InputError: no data, stages that cannot be compared, a loss that is not finite, or no
            gradient of the truth's terms.
        SystemExit: a signal asked to stop.
    """
    distributed.require_one("--pull")
    options = config.loop(script).model_copy(update={"precision": "float32"})
    setup = Setup(objective, config, options, LONGEST + BATCHES)
    with StopRequest() as stop, setup.loader.batches(stop) as samples:
        bar = progress_bar(map(setup.batch, samples), desc="gradient norms", unit="batch")
        batches = iter(bar)
        settled = _settle(objective, options.lr, batches)
        results = [_compare(objective, batch) for batch in islice(batches, BATCHES)]
        bar.close()
    if stop:
        raise SystemExit(128 + stop.signal)
    means = {}
    for name in results[0]:
        each = zip(*(result[name] for result in results), strict=True)
        means[name] = GradNorm(*(sum(values) / len(results) for values in each))
    return GradNorms(means, objective.distillation.adapted_kinds if settled else (), settled)


def grad_norms_message(result: GradNorms) -> str:
    """A table of the terms, and what it is of."""
    rows = [
        (name, f"{one.loss:.3g}", f"{one.norm:.3g}", f"{one.along:.2f}")
        for name, one in result.terms.items()
    ]
    lines = [table(("term", "loss", "pull", "along the truth"), rows)]
    if result.settled:
        lines.append(
            f"{', '.join(result.adapted)}: after adapters and connectors have learned for "
            f"{result.settled} batches, at the network's weights of now"
        )
    return "\n".join(lines)


def _settle(objective: Objective, rate: float, batches: Iterator[Batch]) -> int:
    """Train what distillation learns beside the network until its terms no longer fall.

    Returns:
        The batches that it took.
    """
    distillation = objective.distillation
    parameters = list(distillation.parameters()) if distillation else []
    if not parameters:
        return 0
    optimizer = torch.optim.Adam(parameters, rate)
    losses: list[float] = []
    before = math.inf
    for batch in islice(batches, LONGEST):
        terms, _ = objective(batch)
        loss = sum(terms[kind] for kind in distillation.kinds)
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % WINDOW == 0:
            mean = sum(losses[-WINDOW:]) / WINDOW
            if not mean < STILL * before:
                break
            before = mean
    return len(losses)


def _compare(objective: Objective, batch: Batch) -> dict[str, GradNorm]:
    """The gradient of each term on one batch with that of the truth's terms."""
    trained = [one for one in objective.network.parameters() if one.requires_grad]
    terms, output = objective(batch)
    truth = _gradient(
        sum(terms[name] for name in objective.task.truth_terms(output, batch)), trained
    )
    results = {}
    for name, term in terms.items():
        if not term.isfinite():
            reason = f"the {name} loss is {term.item()}"
            raise InputError(f"--pull: {reason}; check the weights of network and teacher")
        own = _gradient(term, trained)
        along = F.cosine_similarity(own, truth, dim=0).item()
        results[name] = GradNorm(term.item(), (own.norm() / truth.norm()).item(), along)
    if not truth.any():
        raise InputError(
            "loss: no term to the truth pulls at what is trained, so there is nothing to compare "
            "with; give one a weight, or train more layers"
        )
    return results


def _gradient(term: Tensor, parameters: list[Tensor]) -> Tensor:
    """The gradient of a term over all parameters, as one vector."""
    if not term.requires_grad:  # of stages that are frozen
        return torch.cat([torch.zeros_like(parameter).flatten() for parameter in parameters])
    gradients = torch.autograd.grad(
        term, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient.flatten() for gradient in gradients])
