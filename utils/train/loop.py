"""The one training loop: teacher, fixed-width student, pruning stage and training stage."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from models import Network
from models.errors import InputError
from utils.data.crops.crop_set import Sample
from utils.data.loader import Loader
from utils.device import autocast
from utils.options import Config, TrainConfig
from utils.prune.sparsity import Sparsity
from utils.train import checkpoint, schedule
from utils.train.board import Board
from utils.train.ledger import Ledger, check_finite
from utils.train.objective import Objective
from utils.train.signals import StopRequest
from utils.train.validate import to_device, validate

log = logging.getLogger(__name__)


@dataclass
class Task:
    """All that one training needs.

    `last` is what `--resume` continues from, `best` the best by validation alpha loss; the steps
    and their order are those of `training.batch_sampler`, a `utils.data.loader.Batches`.
    """

    network: Network
    objective: Objective
    training: Loader
    validation: Loader
    options: TrainConfig
    config: Config
    device: torch.device
    last: Path
    best: Path | None = None
    sparsity: Sparsity | None = None


def fit(task: Task, resume: bool = False) -> None:
    """Train `task.network` in place for the epochs of its options.

    Raises:
        InputError: the loss is not finite, the disk is full, or there is nothing to resume.
        SystemExit: SIGTERM or Ctrl-C; the state is saved and `resume=True` continues from it.
    """
    options, per_epoch = task.options, task.training.batch_sampler.per_epoch
    run = _Run(task, resume)
    bar = tqdm(total=run.total, initial=run.step, unit="step", dynamic_ncols=True)
    batches = iter(task.training)
    try:
        with StopRequest() as stop, bar, run.board:
            for batch in batches:
                run.train(batch)
                bar.update()
                epoch, rest = divmod(run.step, per_epoch)
                ends_epoch, ends = rest == 0, run.step == run.total
                if run.step % options.print_every == 0 or ends_epoch:
                    bar.set_postfix_str(run.progress(len(batch.image), bar.format_dict["rate"]))
                if ends or (ends_epoch and epoch % options.validate_every == 0):
                    bar.write(run.validate(epoch))
                if ends_epoch and (left_out := str(task.training.failures)):
                    bar.write(f"epoch {epoch}: {left_out}")
                if stop.signal or ends or (ends_epoch and epoch % options.save_every == 0):
                    run.save()
                if stop.signal:
                    break
    finally:
        batches.close()  # ends the workers, which no signal does
    if stop.signal:
        log.info(
            f"{stop.signal.name} after step {run.step} of {run.total}; saved {task.last}, "
            "from which --resume continues"
        )
        raise SystemExit(128 + stop.signal)


class _Run:
    """The state of a training and what is done with it, one step or one validation at a time."""

    def __init__(self, task: Task, resume: bool) -> None:
        options = task.options
        autocast(task.device, options.precision)  # refuses what cannot be, before any work
        layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self.task = task
        self.network = task.network.to(task.device, memory_format=layout).train()
        self.objective = task.objective.to(task.device)
        modules = (self.network, self.objective)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.parameters, options.lr, options.betas, weight_decay=options.weight_decay
        )
        half = options.precision == "float16"
        self.scaler = torch.amp.GradScaler(task.device.type, enabled=half)
        self.ledger = Ledger()
        self.best, self.step = math.inf, 0
        self.total = task.training.batch_sampler.per_epoch * options.epochs
        if resume:
            self._restore()
        task.training.batch_sampler.start = self.step
        self.board = Board(task.last.parent / "board" / task.last.stem, self.step)

    def train(self, batch: Sample) -> None:
        """One step of the optimiser."""
        options, device = self.task.options, self.task.device
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * schedule.factor(options, self.step, self.total)
        image, trimap, alpha = to_device(batch, device, options.channels_last)
        with autocast(device, options.precision):
            terms, _ = self.objective(self.network, image, trimap, alpha)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(sum(terms.values())).backward()
        self.scaler.unscale_(self.optimizer)
        if self.task.sparsity:
            self.task.sparsity.add_gradient()
        if options.clip:
            torch.nn.utils.clip_grad_value_(self.parameters, options.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.ledger.add(self.step, terms)

    def progress(self, batch_size: int, steps_per_second: float | None) -> str:
        """Log speed and the means of the terms since the last call; returns them for the bar."""
        speed = batch_size * (steps_per_second or 0)
        means = self.ledger.means()
        if self.task.sparsity:
            means["sparsity"] = self.task.sparsity.value().item()
        self.board.scalars("loss", means, self.step)
        rates = {"lr": self.optimizer.param_groups[0]["lr"], "samples_per_s": speed}
        self.board.scalars("rate", rates, self.step)
        terms = "".join(f", {name} {value:.4f}" for name, value in means.items())
        return f"{speed:.1f} samples/s{terms}"

    def validate(self, epoch: int) -> str:
        """Validate, keep the best network, log; returns the line to print."""
        task, options = self.task, self.task.options
        result = validate(
            self.network, task.validation, task.device, options.precision, options.channels_last
        )
        check_finite("the validation alpha loss", result.alpha_loss, self.step)
        scores = {"alpha": result.alpha_loss, "SAD": result.sad}
        self.board.scalars("valid", scores, self.step)
        if epoch % options.picture_every == 0:
            self.board.pictures(result.pictures, self.step)
            self.board.network(self.network, self.step)
        line = f"epoch {epoch}: validation alpha loss {result.alpha_loss:.4f}, SAD {result.sad:.3f}"
        if result.alpha_loss >= self.best:
            return line
        self.best = result.alpha_loss
        if task.best:
            checkpoint.save(
                task.best, self.network, task.config, options, epoch=epoch, scores=scores
            )
        return f"{line}, the best so far"

    def save(self) -> None:
        """Save all that continues this training exactly."""
        self.ledger.settle()
        if not all(parameter.isfinite().all() for parameter in self.parameters):
            check_finite("a weight", math.nan, self.step)
        checkpoint.save(
            self.task.last,
            self.network,
            self.task.config,
            self.task.options,
            optimizer=self.optimizer.state_dict(),
            objective=self.objective.state_dict(),
            scaler=self.scaler.state_dict(),
            random_state=torch.get_rng_state(),
            step=self.step,
            best=self.best,
        )

    def _restore(self) -> None:
        task = self.task
        state = checkpoint.resume(task.last, self.network, task.config, task.options)
        if state["step"] > self.total:
            raise InputError(
                f"{task.last}: has done {state['step']} steps, more than the {self.total} of "
                "train.epochs; raise it, or start without --resume"
            )
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty unless it was trained in float16
            self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random_state"])
        self.best, self.step = state["best"], state["step"]
