"""Batches of samples: their order, and the loaders of training and validation."""

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.queues import Queue
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, get_worker_info

from models.errors import InputError
from utils import distributed
from utils.cli.signals import withheld_from_workers
from utils.data.samples import Failures, SampleResult, Samples, TrainingData

log = logging.getLogger(__name__)

ORDER = 3  # apart from the draws of samples, for any seed
LARGE_BLOCK = 31 << 20  # bytes; glibc adapts to blocks of less than 32 MiB
SHM = "raise the room in /dev/shm (docker run --shm-size=1g), or lower data.workers"
ENDED = (
    "data.workers: one ended or could not start, for want of memory, open files or room in "
    "/dev/shm; lower it or data.cache_mb, raise ulimit -n, or docker run --shm-size=1g"
)
POLL = 0.2  # seconds after which a wait for workers looks whether it is to stop


class Batches(Sampler):
    """All batches of all epochs as lists of (epoch, index), shuffled anew in each epoch.

    Set `start` to begin at that batch. One pass over everything, so that workers never idle
    between epochs. Of several processes each gets its share of every batch. Where `members` samples
    in a row stay together, an epoch visits one in so many.
    """

    def __init__(
        self, samples: int, batch_size: int, epochs: int, seed: int, members: int = 1
    ) -> None:
        self._draws, self._members, self._batch_size = samples // members, members, batch_size
        self._epochs, self._seed = epochs, seed
        self.per_epoch = self._draws // batch_size
        self.start = 0

    def __len__(self) -> int:
        return max(0, self.per_epoch * self._epochs - self.start)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first_epoch, skip = divmod(self.start, self.per_epoch)
        share = distributed.share(self._batch_size)
        for epoch in range(first_epoch, self._epochs):
            rng = np.random.default_rng([ORDER, self._seed, epoch])
            draws = rng.permutation(self._draws).tolist()
            order = [draw * self._members + one for draw in draws for one in range(self._members)]
            for batch in range(skip, self.per_epoch):
                first = batch * self._batch_size
                yield [(epoch, order[first + place]) for place in share]
            skip = 0


class Loader(DataLoader):
    """A DataLoader of `Samples` whose workers' errors read as if there were no workers.

    It draws nothing from PyTorch's global generator, so that an interruption leaves that as it is.
    What is wrong with pictures that had to be replaced is noted in `failures`.
    """

    def __init__(self, samples: Samples, failures: Failures, **options) -> None:
        super().__init__(
            samples,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
            **options,
        )
        self.failures = failures

    def __iter__(self) -> Iterator[NamedTuple]:
        with self.batches() as batches:
            yield from batches

    @contextmanager
    def batches(self, stop: object = None) -> Iterator[Iterator[NamedTuple]]:
        """The batches, as a context: it ends the workers, which no signal does.

        Args:
            stop: what becomes true when a batch is no longer to be waited for; they end then.
        """
        results = None
        try:
            with withheld_from_workers():  # or one could be signalled before it ignores that
                results = super().__iter__()
            if self.num_workers:
                get = results._try_get_data
                results._try_get_data = lambda: _refuse_stopped(stop) or get(POLL)
            yield self._checked(results)
        except (RuntimeError, OSError, EOFError) as error:  # PyTorch raises it at any place
            gone = isinstance(error, ConnectionError | EOFError) or "DataLoader worker" in str(
                error
            )
            lacking = results is None or "open files" in str(error) or "ancdata" in str(error)
            if self.num_workers and (gone or lacking):
                raise InputError(ENDED) from None
            raise
        finally:
            # Workers ignore signals, and a traceback may keep their iterator alive: without this
            # the interpreter would wait for them for ever at its end.
            if self.num_workers and results:
                with suppress(RuntimeError):  # of a worker that ended meanwhile
                    results._shutdown_workers()

    def _checked(self, results: Iterator[SampleResult]) -> Iterator[NamedTuple]:
        """The samples of results, with one line for what goes wrong."""
        warned = False
        try:
            for sample, problems in results:
                self.failures.add(problems)
                if isinstance(sample[0], np.ndarray) and not warned:
                    log.warning("/dev/shm is full, so batches take a slower way; %s", SHM)
                    warned = True
                parts = (None if part is None else torch.as_tensor(part) for part in sample)
                yield type(sample)(*parts)
        except _Stopped:
            return
        except InputError as error:
            # A worker sends its traceback as the message; the last line is what it had to say.
            line = str(error).strip().splitlines()[-1]
            prefix = f"{InputError.__module__}.{InputError.__name__}: "
            raise InputError(line.removeprefix(prefix)) from None


class _Stopped(Exception):
    """A batch is no longer waited for."""


def _refuse_stopped(stop: object) -> None:
    if stop and distributed.size() == 1:  # several processes stop together, after a step
        raise _Stopped


def _collate(results: list[SampleResult]) -> SampleResult:
    parts = zip(*(one.sample for one in results), strict=True)
    problems = tuple(problem for one in results for problem in one.problems)
    batch = (None if part[0] is None else _stacked(part) for part in parts)
    return SampleResult(type(results[0].sample)(*batch), problems)


def _stacked(parts: Sequence[Tensor]) -> Tensor | np.ndarray:
    """One batch of samples; where it finds no room in shared memory, as what a pipe can take.

    A tensor that a worker returns would be moved there by a thread of the queue, whose error
    reaches nobody, and the batch would be waited for for ever.
    """
    batch = torch.stack(parts)
    if get_worker_info() is None:
        return batch
    try:
        return batch.share_memory_()
    except RuntimeError:
        return batch.numpy()


def training_loader(sources: TrainingData, batch_size: int, epochs: int, pin: bool) -> Loader:
    """The samples that train; its `batch_sampler` is a `Batches`.

    Raises:
        InputError: fewer samples in an epoch than in a batch, or no equal shares of a batch.
    """
    ranks = distributed.size()
    if batch_size % ranks:
        raise InputError(
            f"train.batch_size: {batch_size} cannot be shared evenly by {ranks} processes; set a "
            f"multiple, such as {-(-batch_size // ranks) * ranks}, or start another number of them"
        )
    samples = sources.samples("train")
    each = len(samples) // samples.members
    if batch_size % samples.members:
        raise InputError(
            f"train.batch_size: {batch_size} holds no whole triplets (augment.triplets); set a "
            f"multiple of 3, such as {-(-batch_size // 3) * 3}"
        )
    if each < batch_size:
        raise InputError(
            f"train.batch_size: {batch_size} is more than the {each} samples of an epoch; "
            "lower it, or raise data.backgrounds_per_foreground or the number of pictures"
        )
    batches = Batches(len(samples), batch_size, epochs, sources.config.seed, samples.members)
    return Loader(
        samples,
        sources.failures,
        batch_sampler=batches,
        num_workers=sources.config.data.workers,
        pin_memory=pin,
    )


def validation_loader(sources: TrainingData, batch_size: int, pin: bool) -> Loader:
    """The samples that validate, the same each time; of several processes this one's share."""
    samples = sources.samples("valid")
    keys = [(0, index) for index in distributed.share(len(samples))]
    size = len(distributed.share(batch_size))
    # In the main process, which keeps what it has decoded from one validation to the next.
    return Loader(samples, sources.failures, sampler=keys, batch_size=size, pin_memory=pin)


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
    # What a queue cannot send would be waited for for ever; a worker that ends is noticed.
    Queue._on_queue_feeder_error = staticmethod(lambda *_: os._exit(1))
