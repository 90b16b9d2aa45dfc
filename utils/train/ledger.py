"""Running means of the loss terms, and the guard against losses that are not finite."""

import math

import torch
from torch import Tensor

from models.errors import InputError


class Ledger:
    """Sums the terms; looks at each step's values one step later, so that a GPU never waits."""

    def __init__(self) -> None:
        self._pending: tuple[int, list[str], Tensor] | None = None
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
        """Note the scalar terms of a step; InputError where one of the last is not finite."""
        values = torch.stack([value.detach().float() for value in terms.values()])
        self.settle()
        self._pending = (step, list(terms), values)

    def settle(self) -> None:
        """Take the last step in; InputError where one of its terms is not finite."""
        if self._pending is None:
            return
        step, names, values = self._pending
        self._pending = None
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
