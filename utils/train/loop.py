"""The one training loop: teacher, fixed-width student, pruning stage and training stage."""

import logging
import math
from collections.abc import Mapping
from itertools import islice
from typing import Literal

import torch

from utils.cli.progress import progress_bar
from utils.cli.signals import StopRequest
from utils.config.options import Config
from utils.data.loader import training_loader, validation_loader
from utils.networks import cost
from utils.networks.device import autocast, choose, training_precision
from utils.prune import History, Sparsity
from utils.train import checkpoint, schedule
from utils.train.average import Average
from utils.train.board import Board
from utils.train.checkpoint import Progress
from utils.train.identity import identity
from utils.train.ledger import Ledger, check_finite
from utils.train.objective import Objective
from utils.train.optimizer import clip_gradients, freeze, freeze_norms, make_optimizer, set_rate
from utils.train.statistics import estimate
from utils.train.validate import validate

log = logging.getLogger(__name__)


def fit(
    objective: Objective,
    config: Config,
    script: Literal["train", "train_prune", "train_pruned"],
    *,
    last: str,
    best: str | None = None,
    sparsity: Sparsity | None = None,
    history: History | None = None,
    origin: Mapping[str, str] | None = None,
    resume: bool = False,
) -> None:
    """Train `objective.network` in place for the epochs of the script's options.

    Args:
        last: the file in `config.folder` from which `resume` continues.
        best: the file there of the network with the best validation score; None keeps none.
        sparsity: pulls on the gates, beside the loss.
        history: notes the gates before the first epoch and after each.
        origin: what else the network was made from, {name: short text}; noted in both files.

    Raises:
        InputError: the loss is not finite, the disk is full, there is nothing to resume, or what
            is there is another training.
        SystemExit: SIGTERM or Ctrl-C; the state is saved and `resume` continues from it.
    """
    options, task, network = config.loop(script), objective.task, objective.network
    device = choose(config.device)
    precision = training_precision(options.precision, device)
    autocast(device, precision)  # refuses what cannot be, before any work
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    last, best = config.folder / last, config.folder / best if best else None

    if objective.distillation:
        objective.distillation.check_batch(options.batch_size)
    objective.to(device, memory_format=layout).train()
    norms = freeze_norms(network) if options.freeze_norms else []
    freeze(network, options.frozen)
    gate_lr = config.prune.gate_lr if sparsity else 1.0
    optimizer = make_optimizer(objective, network, options, gate_lr)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    sources, pin = task.sources(), device.type == "cuda"
    for one in filter(None, (objective.teacher, network)):
        task.check(one, sources)
    training = training_loader(sources, options.batch_size, options.epochs, pin)
    validation = validation_loader(sources, options.batch_size, pin)
    if norms and options.estimate_norms and not resume:
        with StopRequest() as stop, training.batches(stop) as samples:
            some = islice(samples, options.estimate_norms)
            batches = (task.batch(sample, device, layout).inputs for sample in some if not stop)
            with autocast(device, precision):
                estimate(network, norms, batches)
        if stop:
            log.info("%s before the first step; nothing to save", stop.signal.name)
            raise SystemExit(128 + stop.signal)
    average = Average(network, options.ema)
    content = {**sources.identity(), **(origin or {})}
    decided = identity(objective, config, options, sparsity, content)
    per_epoch = training.batch_sampler.per_epoch
    total = per_epoch * options.epochs
    state = {"optimizer": optimizer, "scaler": scaler, "average": average}
    state |= {"distillation": objective.distillation} if objective.distillation else {}
    state |= {"gates": history} if history else {}
    begun = Progress()
    if resume:
        begun = checkpoint.resume(last, network, decided, state, total)
        schedule.tell_jump(options, begun.step, total, begun.rate)
    elif history:
        history.add(network, 0)
    step, best_score, due, rate = begun
    training.batch_sampler.start = step
    log.info(
        "%s: %s parameters, %d epochs of %d steps, on %s in %s",
        *(script, f"{cost.parameters(network):,}", options.epochs, per_epoch, device, precision),
    )

    ledger = Ledger()

    def save() -> None:
        """All that continues this training, as it is now."""
        ledger.settle()
        if not all(parameter.isfinite().all() for parameter in parameters):
            check_finite("a weight", math.nan, step)
        with stop.defer_signals():
            reached = Progress(step, best_score, due, rate)
            checkpoint.save_training(last, network, config, decided, state, reached)

    with (
        StopRequest() as stop,
        Board(config.folder / "board" / script, step) as board,
        progress_bar(total=total, initial=step, unit="step", dynamic_ncols=True) as bar,
        training.batches(stop) as batches,
    ):
        while due or step < total:  # a validation that was broken off comes first
            if not due:
                sample = next(batches, None)
                if sample is None:  # a stop was asked for while it was waited for
                    save()
                    break
                rate = schedule.rate(options, step, total)
                set_rate(optimizer, rate)
                batch = task.batch(sample, device, layout)
                with autocast(device, precision):
                    terms, _ = objective(batch)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(sum(terms.values())).backward()
                scaler.unscale_(optimizer)
                if sparsity:
                    sparsity.add_gradient()
                clip_gradients(parameters, options)
                scaler.step(optimizer)
                if sparsity:
                    sparsity.shrink(optimizer)
                scaler.update()
                average.update()
                step += 1
                bar.update()
                ledger.add(step, terms)

            epoch, rest = divmod(step, per_epoch)
            ends_epoch, ends = rest == 0, step == total
            if not due and (step % options.print_every == 0 or ends_epoch):
                means = ledger.means() | ({"sparsity": sparsity.value().item()} if sparsity else {})
                speed = options.batch_size * bar.rate
                rates = {"lr": optimizer.param_groups[0]["lr"], "samples_per_s": speed}
                board.scalars("loss", means, step)
                board.scalars("rate", rates, step)
                told = "".join(f", {name} {value:.4f}" for name, value in means.items())
                bar.set_postfix_str(f"{speed:.1f} samples/s{told}")
            due = ends or (ends_epoch and epoch % options.validate_every == 0)
            how = (device, precision, layout, stop)
            if due and (found := validate(average.network, task, validation, *how)):
                due, (scores, pictures) = False, found
                for name, value in scores.items():
                    check_finite(f"the validation {name}", value, step)
                board.scalars("valid", scores, step)
                if epoch % options.picture_every == 0:
                    board.pictures(pictures, step)
                    board.network(network, step)
                score = scores[task.metric] if task.lower_is_better else -scores[task.metric]
                told = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
                bar.write(
                    f"epoch {epoch}: validation {told}"
                    + (f", the best {task.metric} so far" if score < best_score else "")
                )
                if score < best_score:
                    best_score = score
                    if best:
                        noted = {**decided, "epoch": epoch, "scores": scores}
                        with stop.defer_signals():
                            checkpoint.save(best, average.network, config, noted)
            if ends_epoch and history and history.rows[-1]["step"] < step:
                history.add(network, step)
            if ends_epoch and (left_out := str(training.failures)):
                bar.write(f"epoch {epoch}: {left_out}")
            # Asked once: a signal may come between two questions.
            if saves := stop or ends or (ends_epoch and epoch % options.save_every == 0):
                save()
            if saves and stop:
                break
    if stop:
        log.info(
            f"{stop.signal.name} after step {step} of {total}; saved {last}, "
            "from which --resume continues"
        )
        raise SystemExit(128 + stop.signal)
