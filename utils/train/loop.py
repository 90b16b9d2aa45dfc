"""The one training loop: teacher, fixed-width student, pruning stage and training stage."""

import logging
import math
import signal
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import chain
from typing import Literal, NamedTuple

import torch

from models.errors import InputError
from utils import distributed
from utils.cli.progress import progress_bar
from utils.cli.signals import StopRequest
from utils.config.options import Config
from utils.data.loader import validation_loader
from utils.networks import cost
from utils.networks.device import require_compiler
from utils.prune import History, Sparsity
from utils.train import checkpoint
from utils.train.averages import LossAverage, WeightAverage, check_finite
from utils.train.board import Board
from utils.train.checkpoint import Progress
from utils.train.objective import Objective
from utils.train.optimizer import (
    clip_gradients,
    make_optimizer,
    scheduled_rate,
    set_rate,
    warn_on_schedule_change,
)
from utils.train.resume_check import identity
from utils.train.setup import Setup
from utils.train.validate import validate

log = logging.getLogger(__name__)

Script = Literal["train", "train_prune", "train_pruned"]


class Run:
    """A training under way: what it consists of, and how far it is.

    Args:
        objective: its network is trained for the epochs of the script's options.
        last: the file in `config.folder` from which `resume` continues.
        best: the file there of the network with the best validation score; None keeps none.
        sparsity: pulls on the gates, beside the loss.
        history: gets the gates before the first epoch and after each.
        origin: what else the network was made from, {name: short text}; saved in both files.

    Raises:
        InputError: there is nothing to resume, or what is there is another training.
    """

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
        self.config, self.script, self.options = config, script, config.loop(script)
        self.objective, self.network, self.task = objective, objective.network, objective.task
        self.sparsity, self.history = sparsity, history
        self.last, self.best = config.folder / last, config.folder / best if best else None

        options = self.options
        self.setup = Setup(objective, config, options, options.epochs, estimate=not resume)
        if options.compile:
            require_compiler(self.setup.device)
            objective.compile()
        self.loader, sources = self.setup.loader, self.setup.sources
        self.validation = validation_loader(sources, options.batch_size, self.setup.pin)
        self.per_epoch = self.loader.batch_sampler.per_epoch
        self.total = self.per_epoch * options.epochs
        gate_lr = config.prune.gate_lr if sparsity else 1.0
        self.optimizer = make_optimizer(objective, self.network, options, gate_lr)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        scales = self.setup.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.setup.device.type, enabled=scales)
        self.average = WeightAverage(self.network, options.ema)
        self.losses = LossAverage()

        content = {**sources.identity(), **(origin or {})}
        self.identity = identity(objective, config, options, sparsity, content)
        self.state = {"optimizer": self.optimizer, "scaler": self.scaler, "average": self.average}
        self.state |= {"distillation": objective.distillation} if objective.distillation else {}
        self.state |= {"gates": history} if history else {}
        if distributed.rank():  # or what is dropped would be the same in all shares
            torch.manual_seed(config.seed + distributed.rank())
        self.step, self.best_score, self.pending, self.rate = self._start(resume)
        self.model = distributed.parallel(objective)
        self.loader.batch_sampler.start = self.step
        log.info(
            "%s: %s parameters, %d epochs of %d steps, on %s in %s",
            *(script, f"{cost.parameters(self.network):,}", options.epochs, self.per_epoch),
            *(self.setup.device, self.setup.precision),
        )

    def fit(self) -> None:
        """Train the network in place; it ends with the average where weights are averaged.

        Several processes end with the same network, and rank 0 writes.

        Raises:
            InputError: the loss is not finite, or the disk is full.
            SystemExit: a signal asked to stop; the state is saved and `resume` continues from it.
        """
        folder = self.config.folder / "board" / self.script
        first, bar = not distributed.rank(), {"total": self.total, "initial": self.step}
        with (
            StopRequest(patient=distributed.size() > 1) as self.stop,
            Board(folder, purge_step=self.step + 1) if first else nullcontext() as self.board,
            progress_bar(**bar, unit="step", dynamic_ncols=True) as self.bar,
            self.loader.batches(self.stop) as samples,
        ):
            while self.pending or self.step < self.total:
                if not self.pending:  # a validation that was broken off comes first
                    sample = next(samples, None)
                    if sample is None:  # a stop was asked for while it was waited for
                        self.save()
                        break
                    self.train_step(sample)
                    self.report()
                if self.end_epoch() or distributed.asked(self.stop):
                    self.save()
                    if distributed.asked(self.stop):
                        break
        if code := distributed.asked(self.stop):
            log.info(
                f"{signal.Signals(code).name} after step {self.step} of {self.total}; saved "
                f"{self.last}, from which --resume continues"
            )
            raise SystemExit(128 + code)
        self.network.load_state_dict(self.average.network.state_dict())

    def _start(self, resume: bool) -> Progress:
        if not resume:
            if self.history:
                self.history.add(self.network, 0)
            return Progress()
        progress = checkpoint.resume(self.last, self.network, self.identity, self.state, self.total)
        if self.best and math.isfinite(progress.best) and not self.best.is_file():
            raise InputError(
                f"{self.best}: gone, which {self.last} takes for the best so far; put it back, or "
                "give --overwrite to train anew"
            )
        warn_on_schedule_change(self.options, progress.step, self.total, progress.rate)
        return progress

    def train_step(self, sample: NamedTuple) -> None:
        self.rate = scheduled_rate(self.options, self.step, self.total)
        set_rate(self.optimizer, self.rate)
        with self.setup.autocast():
            terms, _ = self.model(self.setup.batch(sample))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(sum(terms.values())).backward()
        distributed.average_statistics(self.objective)
        self.scaler.unscale_(self.optimizer)
        if self.sparsity:
            self.sparsity.add_gradient()
        clip_gradients(self.parameters, self.options)
        # float16: gradients that overflow move nothing here; to ask whether would wait for the GPU
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.sparsity:
            self.sparsity.shrink(self.optimizer)
        self.average.update()
        self.step += 1
        self.bar.update()
        self.losses.add(self.step, terms)

    def report(self) -> None:
        """Show the means of the losses, every few steps and at the end of an epoch."""
        seldom = self.step % self.options.print_every and self.step % self.per_epoch
        if seldom or distributed.rank():
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
        failures = self.loader.failures
        failures.add(chain(*distributed.gathered_objects(failures.problems)))
        if left_out := str(failures):
            self.bar.write(f"epoch {epoch}: {left_out}")
        return ends or epoch % self.options.save_every == 0

    def validate(self, epoch: int) -> None:
        """Score the network, and keep it where it is the best; stays pending when it is stopped."""
        network, setup = self.average.network, self.setup
        place = (setup.device, setup.precision, setup.layout)
        result = validate(network, self.task, self.validation, *place, self.stop)
        if result is None:
            return
        self.pending = False
        for name, value in result.scores.items():
            check_finite(f"the validation {name}", value, self.step)
        score = result.scores[self.task.metric]
        is_best = score < self.best_score
        self.best_score = score if is_best else self.best_score
        if distributed.rank():
            return
        self.board.add_values("valid", result.scores, self.step)
        if epoch % self.options.picture_every == 0:
            self.board.add_pictures(result.pictures, self.step)
            self.board.add_network(network, self.step)
        scores = ", ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        best = f", the best {self.task.metric} so far" if is_best else ""
        self.bar.write(f"epoch {epoch}: validation {scores}{best}")
        if is_best and self.best:
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
