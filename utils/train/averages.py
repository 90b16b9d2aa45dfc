"""Averages over the steps of a training: of losses and of weights."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from models import Network
from models.errors import InputError
from utils import distributed

WARMUP = 10  # steps; see `WeightAverage`


class LossAverage:
    """Means of the loss terms over steps and processes.

    Looks at a step's values one step later, so that no GPU waits.

    Raises:
        InputError: by all methods, where a term of the last step is not finite.
    """

    def __init__(self) -> None:
        self._last: tuple[int, list[str], Tensor] | None = None
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Add the scalar terms of a step."""
        self.settle()
        values = torch.stack([term.detach().float() for term in terms.values()])
        self._last = step, list(terms), distributed.average(values)

    def settle(self) -> None:
        """Take in the last step."""
        if self._last is None:
            return
        (step, names, values), self._last = self._last, None
        self._count += 1
        for name, value in zip(names, values.tolist(), strict=True):
            check_finite(f"the {name} loss", value, step)
            self._sums[name] = self._sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Of all steps since the last call."""
        self.settle()
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def check_finite(what: str, value: float, step: int) -> None:
    """Stop the training with an InputError when `value` is nan or infinite."""
    if not math.isfinite(value):
        raise InputError(
            f"step {step}: {what} is {value}; lower train.lr, set train.clip or "
            "train.precision=float32; --resume continues from the last good checkpoint"
        )


class WeightAverage:
    """Exponential moving average (EMA): old becomes decay * old + (1 - decay) * new.

    Statistics of norms are averaged as weights are. The decay of step n is at most
    (1 + n) / (10 + n), so that a short training is no average with its start. With decay 0 the
    average is the network itself.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._live, self._decay = network, decay
        self._copy: AveragedModel | None = None
        if decay:
            self._begin()

    @property
    def network(self) -> Network:
        """What to validate and to keep."""
        return self._copy.module if self._copy else self._live

    def update(self) -> None:
        """Take in the weights of now; call it after each step."""
        if self._copy:
            self._copy.update_parameters(self._live)

    def state_dict(self) -> dict:
        return self._copy.state_dict() if self._copy else {}

    def load_state_dict(self, state: dict) -> None:
        """Continue with a state; an empty one, of a training without, begins with the network."""
        if self._copy and state:
            self._copy.load_state_dict(state)
        elif self._copy:
            self._begin()

    def _begin(self) -> None:
        self._copy = AveragedModel(self._live, multi_avg_fn=self._follow, use_buffers=True)

    @torch.no_grad()
    def _follow(self, old: list[Tensor], new: list[Tensor], _: Tensor) -> None:
        steps = int(self._copy.n_averaged)  # the argument would wait for the GPU
        share = 1 - min(self._decay, (1 + steps) / (WARMUP + steps))
        if old[0].is_floating_point():
            torch._foreach_lerp_(old, new, share)
        else:
            torch._foreach_copy_(old, new)
