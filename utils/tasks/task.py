"""What a task brings to the training loop."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from utils.data.loader import Loader
from utils.options import Config, TrainConfig


class Loaders(NamedTuple):
    """Batches to train and to validate on; the first's `batch_sampler` knows steps and order.

    `identity` tells what they are made of from other data, {name: short text}.
    """

    training: Loader
    validation: Loader
    identity: dict[str, str]


class Batch(Protocol):
    """A batch on its device, scaled to what networks and losses take."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network is called with."""


class Task(Protocol):
    """Samples, loss terms, the validation metric and the pictures of a kind of network.

    `metric` is the name of the score by which the best checkpoint is chosen, and `lower_is_better`
    its direction.
    """

    metric: str
    lower_is_better: bool

    def __init__(self, config: Config) -> None: ...

    def loaders(self, options: TrainConfig, pin: bool) -> Loaders:
        """The batches of the config's data set; `pin` keeps them in page-locked memory."""

    def batch(self, sample: NamedTuple, device: torch.device, layout: torch.memory_format) -> Batch:
        """A loader's batch on the device."""

    def truth_terms(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms, scalars by name: how far the output is from the truth."""

    def teacher_terms(self, output: Tensor, wanted: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms: how far the output is from the teacher's."""

    def scores(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Validation scores of each sample, (N,) by name, `metric` among them."""

    def pictures(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What TensorBoard shows of a batch: columns (N,1 or 3,H,W) in [0, 1], by their titles."""
