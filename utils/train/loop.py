"""The one training loop: teacher, fixed-width student, pruning stage and training stage."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from models import Network
from models.errors import InputError
from utils.config import Config, TrainConfig
from utils.prune.sparsity import Sparsity
from utils.train import checkpoint, schedule
from utils.train.board import Board
from utils.train.device import autocast
from utils.train.objective import Objective
from utils.train.signals import StopRequest
from utils.train.validate import to_device, validate

log = logging.getLogger(__name__)


@dataclass
class Task:
    """All that one training needs. `last` is saved for --resume, `best` by validation alpha loss."""

    network: Network
    objective: Objective
    training: DataLoader
    validation: DataLoader
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
    options, batches = task.options, task.training.batch_sampler
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    network = task.network.to(task.device, memory_format=layout).train()
    objective = task.objective.to(task.device)
    parameters = [p for m in (network, objective) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, options.lr, weight_decay=options.weight_decay)
    scaler = torch.amp.GradScaler(task.device.type, enabled=options.precision == "float16")
    autocast(task.device, options.precision)  # refuses what cannot be, before any work

    best, start = math.inf, 0
    if resume:
        state = checkpoint.resume(task.last, network)
        optimizer.load_state_dict(state["optimizer"])
        objective.load_state_dict(state["objective"])
        scaler.load_state_dict(state["scaler"])
        best, start = state["best"], state["step"]
    total = batches.per_epoch * options.epochs
    batches.start = start

    def save(step: int) -> None:
        ledger.settle()
        _check_weights(parameters, step)
        checkpoint.save(
            task.last,
            network,
            optimizer=optimizer.state_dict(),
            objective=objective.state_dict(),
            scaler=scaler.state_dict(),
            random_state=torch.get_rng_state(),
            step=step,
            best=best,
            config=task.config.model_dump(),
        )

    board = Board(task.last.parent / "board" / task.last.stem, start)
    bar = tqdm(total=total, initial=start, unit="step", dynamic_ncols=True, smoothing=0.05)
    ledger = _Ledger()
    with StopRequest() as stop, bar:
        for step, batch in enumerate(task.training, start):
            for group in optimizer.param_groups:
                group["lr"] = options.lr * schedule.factor(options, step, total)
            image, trimap, alpha = to_device(batch, task.device, options.channels_last)
            with autocast(task.device, options.precision):
                terms, _ = objective(network, image, trimap, alpha)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(sum(terms.values())).backward()
            scaler.unscale_(optimizer)
            if task.sparsity:
                task.sparsity.add_gradient()
            if options.clip:
                torch.nn.utils.clip_grad_value_(parameters, options.clip)
            scaler.step(optimizer)
            scaler.update()

            ledger.add(step, terms)
            done = step + 1
            bar.update()
            epoch, rest = divmod(done, batches.per_epoch)
            if done % options.print_every == 0 or rest == 0:
                means = ledger.means()
                if task.sparsity:
                    means["sparsity"] = task.sparsity.value().item()
                speed = (bar.format_dict["rate"] or 0) * len(image)
                bar.set_postfix_str(
                    f"{speed:.1f} samples/s, "
                    + ", ".join(f"{name} {value:.4f}" for name, value in means.items())
                )
                board.scalars("loss", means, done)
                rates = {"lr": optimizer.param_groups[0]["lr"], "samples_per_second": speed}
                board.scalars("rate", rates, done)
            if rest == 0 and (epoch % options.validate_every == 0 or done == total):
                result = validate(
                    network, task.validation, task.device, options.precision, options.channels_last
                )
                _check_finite(result.alpha_loss, done)
                board.scalars("valid", {"alpha": result.alpha_loss, "SAD": result.sad}, done)
                is_best = result.alpha_loss < best
                bar.write(
                    f"epoch {epoch}: validation alpha loss {result.alpha_loss:.4f}, "
                    f"SAD {result.sad:.3f}{', the best so far' if is_best else ''}"
                )
                if epoch % options.picture_every == 0:
                    board.pictures(result.pictures, done)
                    board.network(network, done)
                if is_best:
                    best = result.alpha_loss
                    if task.best:
                        checkpoint.save(
                            task.best,
                            network,
                            epoch=epoch,
                            alpha_loss=best,
                            sad=result.sad,
                            config=task.config.model_dump(),
                        )
            if stop.signal or done == total or (rest == 0 and epoch % options.save_every == 0):
                save(done)
            if stop.signal:
                bar.close()
                board.close()
                log.info(
                    f"{stop.signal.name} at step {done} of {total}; saved {task.last}; "
                    "the same command with --resume continues"
                )
                raise SystemExit(128 + stop.signal)
    board.close()


class _Ledger:
    """Sums the terms; looks at each step's values one step later, so that a GPU never waits."""

    def __init__(self) -> None:
        self._pending: tuple[int, list[str], Tensor] | None = None
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
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
            _check_finite(value, step + 1, name)
            self._sums[name] = self._sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Of all steps since the last call."""
        self.settle()
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def _check_weights(parameters: list[Tensor], step: int) -> None:
    if not all(parameter.isfinite().all() for parameter in parameters):
        _check_finite(math.nan, step)


def _check_finite(value: float, step: int, name: str = "validation alpha") -> None:
    if not math.isfinite(value):
        raise InputError(
            f"step {step}: the {name} loss is {value}; lower train.lr, set train.clip, or use "
            "train.precision=float32; --resume continues from the last good checkpoint"
        )
