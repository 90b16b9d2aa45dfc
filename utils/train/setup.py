"""What a training begins with: the device, what is frozen, the data."""

import logging
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models import Network
from models.channels import Norm
from models.errors import InputError
from models.files.saving import fingerprint
from utils import distributed
from utils.cli.progress import progress_bar
from utils.cli.signals import StopRequest
from utils.config.options import Config, TrainConfig
from utils.data.loader import training_loader
from utils.data.samples import TrainingData
from utils.networks.device import autocast, choose, training_precision
from utils.tasks import Batch
from utils.train.objective import Objective
from utils.train.optimizer import freeze, freeze_norms

log = logging.getLogger(__name__)


class Setup:
    """An objective on its device, what is frozen frozen, and its data: what a training begins with.

    Args:
        epochs: over the data.
        estimate: give frozen norms their statistics on the first batches (`estimate_norms`).

    Raises:
        InputError: bad data, or an option that cannot be.
        SystemExit: a signal asked to stop.
    """

    def __init__(
        self,
        objective: Objective,
        config: Config,
        options: TrainConfig,
        epochs: int,
        estimate: bool = True,
    ) -> None:
        self._task, network = objective.task, objective.network
        self.device = choose(config.device)
        distributed.require_device(self.device)
        self.precision = training_precision(options.precision, self.device)
        self.autocast()  # refuses what cannot be, before any work
        self.layout = torch.channels_last if options.channels_last else torch.contiguous_format
        if objective.distillation:
            objective.distillation.check_batch(options.batch_size)
        if options.estimate_norms and not options.freeze_norms:
            raise InputError(
                "train.estimate_norms: gives statistics to norms that train.freeze_norms freezes; "
                "set that to true, or leave it out"
            )
        objective.to(self.device, memory_format=self.layout).train()
        norms = freeze_norms(network) if options.freeze_norms else []
        freeze(network, options.frozen)

        self.sources, self.pin = self._task.sources(), self.device.type == "cuda"
        self._uploads = torch.cuda.Stream(self.device) if self.pin else None
        if distributed.size() > 1:
            distributed.require_same(_shared(config, objective, self.sources))
        for one in filter(None, (objective.teacher, network)):
            self._task.check(one, self.sources)
        self.loader = training_loader(self.sources, options.batch_size, epochs, self.pin)
        if options.sync_batchnorm:
            distributed.synchronise_norms(objective)
        if norms and options.estimate_norms and estimate:
            self._estimate(network, norms, options.estimate_norms)

    def batch(self, sample: NamedTuple) -> Batch:
        """On CUDA uploaded beside the step that the device still computes."""
        if self._uploads is None:
            return self._task.batch(sample, self.device, self.layout)
        with torch.cuda.stream(self._uploads):
            batch = self._task.batch(sample, self.device, self.layout)
        step = torch.cuda.current_stream(self.device)
        step.wait_stream(self._uploads)
        for part in filter(torch.is_tensor, batch):
            part.record_stream(step)  # or its memory would be taken while the step reads it
        return batch

    def autocast(self) -> AbstractContextManager:
        return autocast(self.device, self.precision)

    def _estimate(self, network: Network, norms: list[Norm], count: int) -> None:
        with StopRequest(distributed.size() > 1) as stop, self.loader.batches(stop) as samples:
            inputs = (
                self.batch(one).inputs
                for one in islice(samples, count)
                if not distributed.asked(stop)
            )
            distributed.synchronise_norms(nn.ModuleList(norms))  # frozen after it
            with self.autocast():
                estimate_statistics(network, norms, inputs)
        if code := distributed.asked(stop):
            log.info("%s before the first step; nothing to save", signal.Signals(code).name)
            raise SystemExit(128 + code)


def _shared(config: Config, objective: Objective, sources: TrainingData) -> dict[str, object]:
    """What decides a training, wherever its files lie and whatever its device is."""
    places = {"data": {"root", "backgrounds", "workers", "cache_mb"}}
    places |= {"network": {"pretrained", "start"}, "teacher": True, "device": True}
    network, teacher = objective.network, objective.teacher
    return {
        **config.model_dump(exclude=places),
        **sources.identity(),
        "network of the training": [network.name, network.plan, network.structure],
        "teacher": fingerprint(teacher) if teacher is not None else None,
    }


def batch_losses(objective: Objective, config: Config) -> Iterator[Tensor]:
    """The loss of `prune.batches` batches of train_prune.py at the weights as they are.

    The network is in evaluation mode and in float32; all of its weights have gradients.

    Raises:
        InputError: no data, or a loss that is not finite.
        SystemExit: a signal asked to stop.
    """
    options = config.loop("train_prune").model_copy(update={"precision": "float32"})
    count = config.prune.batches
    setup = Setup(objective, config, options, epochs=count, estimate=False)
    objective.network.eval().requires_grad_(True)
    with StopRequest(distributed.size() > 1) as stop, setup.loader.batches(stop) as samples:
        batches = islice(map(setup.batch, samples), count)
        for batch in progress_bar(batches, desc="scores", total=count, unit="batch"):
            terms, _ = objective(batch)
            loss = sum(terms.values())
            if not loss.isfinite():
                raise InputError(f"the loss is {loss.item()}; check the weights of the teacher")
            yield loss
    if code := distributed.asked(stop):
        raise SystemExit(128 + code)


@torch.no_grad()
def estimate_statistics(
    network: Network, norms: Sequence[Norm], batches: Iterable[Sequence[Tensor]]
) -> None:
    """Give frozen `norms` the mean of what each batch has as its mean and variance.

    Those of ImageNet's pictures do not fit another stride or pooling than that of the classifier:
    IndexNet's pooling is nearly an average, so that its maps vary less than half as much.

    Args:
        network: in training mode; its other norms go on with their own statistics.
        norms: some of the network's, in evaluation mode; they end as they were.
        batches: its inputs.

    Raises:
        InputError: the statistics are no finite numbers.
    """
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True  # the plain mean over all batches
    try:
        for inputs in batches:
            network.compute(*inputs, None)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum, norm.training = momentum, False
    if not all(norm.running_var.isfinite().all() for norm in norms):
        raise InputError(
            "train.estimate_norms: the statistics are not finite; set train.precision=float32, or "
            "check the weights of network.pretrained"
        )
