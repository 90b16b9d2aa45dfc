"""Tasks: what differs between matting and segmentation. The training loop knows neither."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from models import Network
from utils.config.options import Config
from utils.data.samples import TrainingData
from utils.tasks.matting import Matting
from utils.tasks.segmentation import Segmentation


class Batch(Protocol):
    """A batch on its device, scaled to what networks and losses take."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network is called with."""


class Task(Protocol):
    """Samples, loss terms, the validation metric and the pictures of a kind of network.

    `metric` is the name of the score by which the best checkpoint is chosen, the lowest one.
    """

    metric: str

    def __init__(self, config: Config) -> None: ...

    def sources(self) -> TrainingData:
        """The data set of the config.

        Raises:
            InputError: it is not there, or cannot be used.
        """

    def check(self, network: Network, sources: TrainingData) -> None:
        """Raise an `InputError` where a network does not fit the data."""

    def batch(self, sample: NamedTuple, device: torch.device, layout: torch.memory_format) -> Batch:
        """A loader's batch on the device."""

    def count(self, batch: Batch) -> Tensor:
        """How many pixels the loss terms are means over, a scalar."""

    def truth_terms(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms, scalars by name: how far the output is from the truth."""

    def judges_auxiliary(self, network: Network) -> bool:
        """Whether `auxiliary_terms` has any of a network's `stages.auxiliary`.

        Raises:
            InputError: it should, but the network has no such output.
        """

    def auxiliary_terms(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms: how far `stages.auxiliary` is from the truth."""

    @property
    def imitates(self) -> bool:
        """Whether `teacher_terms` weigh anything."""

    def teacher_terms(self, output: Tensor, target: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms: how far the output is from the teacher's."""

    def scores(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What is known of each sample by name, (N, ...), to be averaged over the set."""

    def summary(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Validation scores by name, `metric` among them, of the means of `scores`."""

    def pictures(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What TensorBoard shows of a batch: columns (N,1 or 3,H,W) in [0, 1], by their titles."""

    def shown(self, sample: NamedTuple) -> dict[str, np.ndarray]:
        """What a sheet shows of a training sample: pictures, uint8 (H,W) or (H,W,3), by titles."""


TASKS: dict[str, type[Task]] = {"matting": Matting, "segmentation": Segmentation}
