"""The one training loop: teacher, fixed-width student, pruning stage and training stage."""

import logging
import math
from collections.abc import Mapping
from itertools import islice
from typing import Literal, NamedTuple

import torch

from models.channels import Norm
from models.errors import InputError
from utils.cli.progress import progress_bar
from utils.cli.signals import StopRequest
from utils.config.options import Config, TrainConfig
from utils.data.loader import Loader, training_loader, validation_loader
from utils.networks import cost
from utils.networks.device import autocast, choose, training_precision
from utils.prune import History, Sparsity
from utils.tasks.task import Batch
from utils.train import checkpoint
from utils.train.averages import LossAverage, WeightAverage, check_finite, estimate_statistics
from utils.train.board import Board
from utils.train.checkpoint import Progress
from utils.train.objective import Objective
from utils.train.optimizer import (
    clip_gradients,
    freeze,
    freeze_norms,
    make_optimizer,
    scheduled_rate,
    set_rate,
    warn_on_schedule_change,
)
from utils.train.resume_check import identity
from utils.train.validate import validate

log = logging.getLogger(__name__)

Script = Literal["train", "train_prune", "train_pruned"]


def fit(
    objective: Objective,
    config: Config,
    script: Script,
    *,
    last: str,
    best: str | None = None,
    sparsity: Sparsity | None = None,
    history: History | None = None,
    origin: Mapping[str, str] | None = None,
    resume: bool = False,
) -> None:
    """Train `objective.network` in place for the epochs of the script's options.

    Where weights are averaged (`train.ema`), the network ends with the average.

    Args:
        last: the file in `config.folder` from which `resume` continues.
        best: the file there of the network with the best validation score; None keeps none.
        sparsity: pulls on the gates, beside the loss.
        history: gets the gates before the first epoch and after each.
        origin: what else the network was made from, {name: short text}; saved in both files.

    Raises:
        InputError: the loss is not finite, the disk is full, there is nothing to resume, or what
            is there is another training.
        SystemExit: a signal asked to stop; the state is saved and `resume` continues from it.
    """
    run = Run(objective, config, script, last, best, sparsity, history, origin, resume)
    with (
        StopRequest() as stop,
        Board(config.folder / "board" / script, purge_step=run.step + 1) as run.board,
        progress_bar(total=run.total, initial=run.step, unit="step", dynamic_ncols=True) as run.bar,
        run.loader.batches(stop) as samples,
    ):
        run.stop = stop
        while run.pending or run.step < run.total:
            if not run.pending:  # a validation that was broken off comes first
                sample = next(samples, None)
                if sample is None:  # a stop was asked for while it was waited for
                    run.save()
                    break
                run.train_step(sample)
                run.report()
            # Asked once: a signal may come between two questions.
            if saves := run.end_epoch() or stop:
                run.save()
            if saves and stop:
                break
    if stop:
        log.info(
            f"{stop.signal.name} after step {run.step} of {run.total}; saved {run.last}, "
            "from which --resume continues"
        )
        raise SystemExit(128 + stop.signal)
    objective.network.load_state_dict(run.average.network.state_dict())


class Place(NamedTuple):
    """Where and in what form a training computes."""

    device: torch.device
    precision: str
    layout: torch.memory_format


def prepare(objective: Objective, config: Config, options: TrainConfig) -> tuple[Place, list[Norm]]:
    """Bring an objective to its device, in training mode, with what is frozen frozen.

    Returns:
        Where it computes, and the norms that keep the statistics of ImageNet.
    """
    device = choose(config.device)
    precision = training_precision(options.precision, device)
    autocast(device, precision)  # refuses what cannot be, before any work
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    if objective.distillation:
        objective.distillation.check_batch(options.batch_size)
    if options.estimate_norms and not options.freeze_norms:
        raise InputError(
            "train.estimate_norms: gives statistics to norms that train.freeze_norms freezes; set "
            "that to true, or leave it out"
        )
    objective.to(device, memory_format=layout).train()
    norms = freeze_norms(objective.network) if options.freeze_norms else []
    freeze(objective.network, options.frozen)
    return Place(device, precision, layout), norms


def estimate_norms(
    objective: Objective, options: TrainConfig, place: Place, norms: list[Norm], loader: Loader
) -> None:
    """Give frozen norms their statistics on the first batches of a training.

    Raises:
        SystemExit: a signal asked to stop.
    """
    with StopRequest() as stop, loader.batches(stop) as samples:
        first = islice(samples, options.estimate_norms)
        batches = (_batch(objective, sample, place).inputs for sample in first if not stop)
        with autocast(place.device, place.precision):
            estimate_statistics(objective.network, norms, batches)
    if stop:
        log.info("%s before the first step; nothing to save", stop.signal.name)
        raise SystemExit(128 + stop.signal)


def _batch(objective: Objective, sample: NamedTuple, place: Place) -> Batch:
    return objective.task.batch(sample, place.device, place.layout)


class Run:
    """A training under way: what it consists of, and how far it is."""

    stop: StopRequest
    board: Board

    def __init__(
        self,
        objective: Objective,
        config: Config,
        script: Script,
        last: str,
        best: str | None = None,
        sparsity: Sparsity | None = None,
        history: History | None = None,
        origin: Mapping[str, str] | None = None,
        resume: bool = False,
    ) -> None:
        self.config, self.options = config, config.loop(script)
        self.objective, self.network, self.task = objective, objective.network, objective.task
        self.sparsity, self.history = sparsity, history
        self.last, self.best = config.folder / last, config.folder / best if best else None

        self.place, norms = prepare(objective, config, self.options)
        gate_lr = config.prune.gate_lr if sparsity else 1.0
        self.optimizer = make_optimizer(objective, self.network, self.options, gate_lr)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        scales = self.place.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.place.device.type, enabled=scales)

        sources, pin = self.task.sources(), self.place.device.type == "cuda"
        for network in filter(None, (objective.teacher, self.network)):
            self.task.check(network, sources)
        self.loader = training_loader(sources, self.options.batch_size, self.options.epochs, pin)
        self.validation = validation_loader(sources, self.options.batch_size, pin)
        self.per_epoch = self.loader.batch_sampler.per_epoch
        self.total = self.per_epoch * self.options.epochs
        if norms and self.options.estimate_norms and not resume:
            estimate_norms(objective, self.options, self.place, norms, self.loader)
        self.average = WeightAverage(self.network, self.options.ema)
        self.losses = LossAverage()

        content = {**sources.identity(), **(origin or {})}
        self.identity = identity(objective, config, self.options, sparsity, content)
        self.state = {"optimizer": self.optimizer, "scaler": self.scaler, "average": self.average}
        self.state |= {"distillation": objective.distillation} if objective.distillation else {}
        self.state |= {"gates": history} if history else {}
        self.step, self.best_score, self.pending, self.rate = self._start(resume)
        self.loader.batch_sampler.start = self.step
        log.info(
            "%s: %s parameters, %d epochs of %d steps, on %s in %s",
            *(script, f"{cost.parameters(self.network):,}", self.options.epochs, self.per_epoch),
            *self.place[:2],
        )

    def _start(self, resume: bool) -> Progress:
        if not resume:
            if self.history:
                self.history.add(self.network, 0)
            return Progress()
        progress = checkpoint.resume(self.last, self.network, self.identity, self.state, self.total)
        warn_on_schedule_change(self.options, progress.step, self.total, progress.rate)
        return progress

    def train_step(self, sample: NamedTuple) -> None:
        self.rate = scheduled_rate(self.options, self.step, self.total)
        set_rate(self.optimizer, self.rate)
        batch = _batch(self.objective, sample, self.place)
        with autocast(self.place.device, self.place.precision):
            terms, _ = self.objective(batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(sum(terms.values())).backward()
        self.scaler.unscale_(self.optimizer)
        if self.sparsity:
            self.sparsity.add_gradient()
        clip_gradients(self.parameters, self.options)
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        if self.scaler.get_scale() >= scale:  # float16: a step whose gradients overflow is skipped
            if self.sparsity:
                self.sparsity.shrink(self.optimizer)
            self.average.update()
        self.step += 1
        self.bar.update()
        self.losses.add(self.step, terms)

    def report(self) -> None:
        """Show the means of the losses, every few steps and at the end of an epoch."""
        if self.step % self.options.print_every and self.step % self.per_epoch:
            return
        means = self.losses.means()
        means |= {"sparsity": self.sparsity.value().item()} if self.sparsity else {}
        speed = self.options.batch_size * self.bar.rate
        rates = {"lr": self.optimizer.param_groups[0]["lr"], "samples_per_s": speed}
        self.board.add_values("loss", means, self.step)
        self.board.add_values("rate", rates, self.step)
        losses = "".join(f", {name} {value:.4f}" for name, value in means.items())
        self.bar.set_postfix_str(f"{speed:.1f} samples/s{losses}")

    def end_epoch(self) -> bool:
        """Validate where that is due after an epoch; whether the training is to be saved."""
        epoch, rest = divmod(self.step, self.per_epoch)
        if rest:
            return False
        ends = self.step == self.total
        self.pending = ends or epoch % self.options.validate_every == 0
        if self.pending:
            self.validate(epoch)
        if self.history and self.history.rows[-1]["step"] < self.step:
            self.history.add(self.average.network, self.step)
        if left_out := str(self.loader.failures):
            self.bar.write(f"epoch {epoch}: {left_out}")
        return ends or epoch % self.options.save_every == 0

    def validate(self, epoch: int) -> None:
        """Score the network, and keep it where it is the best; stays pending when it is stopped."""
        network, place = self.average.network, self.place
        result = validate(network, self.task, self.validation, *place, self.stop)
        if result is None:
            return
        self.pending = False
        for name, value in result.scores.items():
            check_finite(f"the validation {name}", value, self.step)
        self.board.add_values("valid", result.scores, self.step)
        if epoch % self.options.picture_every == 0:
            self.board.add_pictures(result.pictures, self.step)
            self.board.add_network(network, self.step)
        score = result.scores[self.task.metric]
        is_best = score < self.best_score
        scores = ", ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        best = f", the best {self.task.metric} so far" if is_best else ""
        self.bar.write(f"epoch {epoch}: validation {scores}{best}")
        if is_best:
            self.best_score = score
            if self.best:
                training = {**self.identity, "epoch": epoch, "scores": result.scores}
                with self.stop.defer_signals():
                    checkpoint.save(self.best, network, self.config, training)

    def save(self) -> None:
        """Save all that continues this training, as it is now."""
        self.losses.settle()
        if not all(parameter.isfinite().all() for parameter in self.parameters):
            check_finite("a weight", math.nan, self.step)
        progress = Progress(self.step, self.best_score, self.pending, self.rate)
        with self.stop.defer_signals():
            checkpoint.save_training(
                self.last, self.network, self.config, self.identity, self.state, progress
            )
