"""Batches of samples: their order, and the loaders of training and validation."""

import signal
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from models.errors import InputError
from utils.data.crops import CropSet, Sample
from utils.data.pairs import Foreground, backgrounds, foregrounds
from utils.data.split import read_split
from utils.options import Config

Key = tuple[int, int]


class Batches(Sampler):
    """All batches of all epochs as lists of (epoch, index), shuffled anew in each epoch.

    Set `start` to begin at that batch. One pass over everything, so that workers never idle
    between epochs.
    """

    def __init__(self, samples: int, batch_size: int, epochs: int, seed: int) -> None:
        self._samples, self._batch_size = samples, batch_size
        self._epochs, self._seed = epochs, seed
        self.per_epoch = samples // batch_size
        self.start = 0

    def __len__(self) -> int:
        return max(0, self.per_epoch * self._epochs - self.start)

    def __iter__(self) -> Iterator[list[Key]]:
        first_epoch, skip = divmod(self.start, self.per_epoch)
        for epoch in range(first_epoch, self._epochs):
            order = np.random.default_rng([self._seed, epoch]).permutation(self._samples).tolist()
            for batch in range(skip, self.per_epoch):
                indices = order[batch * self._batch_size : (batch + 1) * self._batch_size]
                yield [(epoch, index) for index in indices]
            skip = 0


class Loader(DataLoader):
    """A DataLoader whose workers' errors read as if there were no workers.

    It draws nothing from PyTorch's global generator, so that an interruption leaves that as it is.
    """

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, generator=torch.Generator(), **options)

    def __iter__(self) -> Iterator[Sample]:
        return _one_line_errors(super().__iter__())


def _one_line_errors(batches: Iterator[Sample]) -> Iterator[Sample]:
    try:
        yield from batches
    except InputError as error:
        # A worker sends its traceback as the message; the last line is what it had to say.
        line = str(error).strip().splitlines()[-1]
        prefix = f"{InputError.__module__}.{InputError.__name__}: "
        raise InputError(line.removeprefix(prefix)) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            "data.workers: one was killed, probably for want of memory; lower it or data.cache_mb"
        ) from None
    finally:
        # Workers ignore signals, and a traceback may keep their iterator alive: without this the
        # interpreter would wait for them for ever at its end.
        if hasattr(batches, "_shutdown_workers"):
            batches._shutdown_workers()


def training_loader(config: Config, batch_size: int, epochs: int, pin: bool) -> DataLoader:
    """Samples of the training foregrounds; its `batch_sampler` is a `Batches`.

    Raises:
        InputError: no data, no split, or fewer samples in an epoch than in a batch.
    """
    options = config.data
    chosen = _chosen(config, 0)
    behind = backgrounds(options.folder, "train", options.backgrounds)
    samples = CropSet(chosen, behind, options, options.backgrounds_per_foreground, config.seed)
    if len(samples) < batch_size:
        raise InputError(
            f"train.batch_size: {batch_size} is more than the {len(samples)} samples of an epoch; "
            "lower it or raise data.backgrounds_per_foreground"
        )
    batches = Batches(len(samples), batch_size, epochs, config.seed)
    return Loader(
        samples,
        batch_sampler=batches,
        num_workers=options.workers,
        pin_memory=pin,
        worker_init_fn=_start_worker,
    )


def validation_loader(config: Config, batch_size: int, pin: bool) -> DataLoader:
    """The same crops of the validation foregrounds each time, without flip and jitter."""
    options = config.data
    chosen = _chosen(config, 1)
    behind = backgrounds(options.folder, "train", options.backgrounds)
    samples = CropSet(
        chosen, behind, options, options.valid_backgrounds, config.seed, augment=False
    )
    keys = [(0, index) for index in range(len(samples))]
    # In the main process, which keeps the few decoded pictures from one validation to the next.
    return Loader(samples, sampler=keys, batch_size=batch_size, pin_memory=pin)


def _chosen(config: Config, part: int) -> list[Foreground]:
    names = set(read_split(config.data.folder)[part])
    return [f for f in foregrounds(config.data.folder, "train") if f.name in names]


def _start_worker(_: int) -> None:
    # Workers are the parallelism; OpenCV's own threads would fight over the same cores.
    cv2.setNumThreads(0)
    # Ctrl-C and a cluster's SIGTERM reach every process, but only the training loop ends workers
    # (it closes their iterator), or it could not finish its step and save.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
