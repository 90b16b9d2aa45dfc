"""Learning-rate schedules: constant, step, cosine; with a linear warm-up."""

import logging
import math

from utils.config.options import TrainConfig

log = logging.getLogger(__name__)


def rate(options: TrainConfig, step: int, total: int) -> float:
    """The learning rate at a step."""
    return options.lr * factor(options, step, total)


def tell_jump(options: TrainConfig, step: int, total: int, before: float) -> None:
    """Log it where the rate does not go on from that of the last step, `before`, as scheduled."""
    if step < total and not math.isclose(before, rate(options, step - 1, total)):
        log.info(
            "the learning rate was %.3g and goes on at %.3g: its schedule, train.lr or "
            "train.epochs has changed",
            *(before, rate(options, step, total)),
        )


def factor(options: TrainConfig, step: int, total: int) -> float:
    """What the learning rate is multiplied with at a step, 0 <= step < total."""
    done = step / total
    if done < options.warmup:
        return (step + 1) / (options.warmup * total + 1)
    if options.schedule == "step":
        return options.decay ** sum(done >= milestone for milestone in options.milestones)
    if options.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (done - options.warmup) / (1 - options.warmup)))
    return 1.0
