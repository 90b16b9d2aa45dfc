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

    Looks at a step's values one step later, so that the GPU has the next one to do meanwhile.

    Raises:
        InputError: by all methods, where a term of the last step is not finite.
    """

    def __init__(self) -> None:
        self._last: tuple[int, list[str], Tensor, torch.cuda.Event | None] | None = None
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Add the scalar terms of a step."""
        self.settle()
        values = torch.stack([term.detach().float() for term in terms.values()])
        values, copied = distributed.average(values), None
        if values.is_cuda:  # read later from there, they would come after the next step's work
            stream = torch.cuda.current_stream(values.device)
            values = values.to("cpu", non_blocking=True)
            copied = stream.record_event()
        self._last = step, list(terms), values, copied

    def settle(self) -> None:
        """Take in the last step."""
        if self._last is None:
            return
        (step, names, values, copied), self._last = self._last, None
        if copied:
            copied.synchronize()
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

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of now; call it after each step."""
        if not self._copy:
            return
        steps = int(self._copy.n_averaged)  # on the CPU; `update_parameters` would send it on
        share = 1 - min(self._decay, (1 + steps) / (WARMUP + steps)) if steps else 1.0
        both = ([*one.parameters(), *one.buffers()] for one in (self._copy.module, self._live))
        floating = []
        for old, new in zip(*both, strict=True):
            if old.is_floating_point():
                floating.append((old, new))
            else:
                old.copy_(new)
        torch._foreach_lerp_(*zip(*floating, strict=True), share)
        self._copy.n_averaged += 1

    def state_dict(self) -> dict:
        return self._copy.state_dict() if self._copy else {}

    def load_state_dict(self, state: dict) -> None:
        """Continue with a state; an empty one, of a training without, begins with the network."""
        if self._copy and state:
            self._copy.load_state_dict(state)
        elif self._copy:
            self._begin()

    def _begin(self) -> None:
        self._copy = AveragedModel(self._live)
