"""Batches of samples: their order, and the loaders of training and validation."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from models.errors import InputError
from utils.data.crops.crop_set import CropSet, Made, Sample
from utils.data.failures import Failures
from utils.data.sources import Sources
from utils.signals import withheld_from_workers

Key = tuple[int, int]
ORDER = 3  # apart from the draws of samples, for any seed
LARGE_BLOCK = 31 << 20  # bytes; glibc adapts to blocks of less than 32 MiB


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
            order = (
                np.random.default_rng([ORDER, self._seed, epoch])
                .permutation(self._samples)
                .tolist()
            )
            for batch in range(skip, self.per_epoch):
                indices = order[batch * self._batch_size : (batch + 1) * self._batch_size]
                yield [(epoch, index) for index in indices]
            skip = 0


class Loader(DataLoader):
    """A DataLoader of a `CropSet` whose workers' errors read as if there were no workers.

    It draws nothing from PyTorch's global generator, so that an interruption leaves that as it is.
    What is wrong with pictures that had to be replaced is noted in `failures`.
    """

    def __init__(self, samples: CropSet, failures: Failures, **options) -> None:
        super().__init__(
            samples,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
            **options,
        )
        self.failures = failures

    def __iter__(self) -> Iterator[Sample]:
        with withheld_from_workers():  # or a signal could reach a worker before it ignores them
            batches = super().__iter__()
        return _one_line_errors(batches, self.failures)

    def batches(self) -> AbstractContextManager[Iterator[Sample]]:
        """The batches, as a context: it ends the workers, which no signal does."""
        return closing(iter(self))


def _collate(made: list[Made]) -> Made:
    parts = zip(*(one.sample for one in made), strict=True)
    problems = tuple(problem for one in made for problem in one.problems)
    stacked = (None if part[0] is None else torch.stack(part) for part in parts)
    return Made(Sample(*stacked), problems)


def _one_line_errors(batches: Iterator[Made], failures: Failures) -> Iterator[Sample]:
    try:
        for sample, problems in batches:
            failures.add(problems)
            yield sample
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


def training_loader(sources: Sources, batch_size: int, epochs: int, pin: bool) -> Loader:
    """Samples of the training foregrounds; its `batch_sampler` is a `Batches`.

    Raises:
        InputError: fewer samples in an epoch than in a batch.
    """
    samples = sources.samples("train")
    if len(samples) < batch_size:
        raise InputError(
            f"train.batch_size: {batch_size} is more than the {len(samples)} samples of an epoch; "
            "lower it or raise data.backgrounds_per_foreground"
        )
    batches = Batches(len(samples), batch_size, epochs, sources.config.seed)
    return Loader(
        samples,
        sources.failures,
        batch_sampler=batches,
        num_workers=sources.config.data.workers,
        pin_memory=pin,
    )


def validation_loader(sources: Sources, batch_size: int, pin: bool) -> Loader:
    """The same crops of the validation foregrounds each time, without augmentation."""
    samples = sources.samples("valid")
    keys = [(0, index) for index in range(len(samples))]
    # In the main process, which keeps the backgrounds from one validation to the next.
    return Loader(samples, sources.failures, sampler=keys, batch_size=batch_size, pin_memory=pin)


def prepare_process() -> None:
    """Make a process quick at samples, one thread of it."""
    # Workers are the parallelism; OpenCV's own threads would fight over the same cores.
    cv2.setNumThreads(0)
    # Freeing a large block once makes glibc keep freed memory instead of giving it back, and
    # faulting it in again takes longer than the arithmetic on it.
    np.empty(LARGE_BLOCK, np.uint8)


def _start_worker(_: int) -> None:
    prepare_process()
    # Ctrl-C and a cluster's SIGTERM reach every process, but only the training loop ends workers
    # (it closes their iterator), or it could not finish its step and save.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
