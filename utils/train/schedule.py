"""Learning-rate schedules: constant, step, cosine; with a linear warm-up."""

import math

from utils.options import TrainConfig


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
