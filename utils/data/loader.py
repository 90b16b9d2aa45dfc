"""Batches of samples: their order, and the loaders of training and validation."""

import signal
from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from models.errors import InputError
from utils.data.crops import CropSet, Item, Made, Sample
from utils.data.failures import Failures, tolerate
from utils.data.pairs import backgrounds, foregrounds
from utils.data.split import read_split
from utils.data.store import Store
from utils.options import Config, DataConfig

Key = tuple[int, int]
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
            order = np.random.default_rng([self._seed, epoch]).permutation(self._samples).tolist()
            for batch in range(skip, self.per_epoch):
                indices = order[batch * self._batch_size : (batch + 1) * self._batch_size]
                yield [(epoch, index) for index in indices]
            skip = 0


class Loader(DataLoader):
    """A DataLoader of a `CropSet` whose workers' errors read as if there were no workers.

    It draws nothing from PyTorch's global generator, so that an interruption leaves that as it is.
    What is wrong with pictures that had to be replaced is noted in `failures`.
    """

    def __init__(self, samples: CropSet, **options) -> None:
        super().__init__(
            samples,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
            **options,
        )
        self.failures = Failures(samples.pictures)

    def __iter__(self) -> Iterator[Sample]:
        return _one_line_errors(super().__iter__(), self.failures)


def _collate(made: list[Made]) -> Made:
    parts = zip(*(one.sample for one in made), strict=True)
    problems = tuple(problem for one in made for problem in one.problems)
    return Made(Sample(*(torch.stack(part) for part in parts)), problems)


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


def training_loader(config: Config, batch_size: int, epochs: int, pin: bool) -> Loader:
    """Samples of the training foregrounds; its `batch_sampler` is a `Batches`.

    Raises:
        InputError: no data, no split, no store, or fewer samples in an epoch than in a batch.
    """
    samples = training_samples(config)
    if len(samples) < batch_size:
        raise InputError(
            f"train.batch_size: {batch_size} is more than the {len(samples)} samples of an epoch; "
            "lower it or raise data.backgrounds_per_foreground"
        )
    batches = Batches(len(samples), batch_size, epochs, config.seed)
    workers = config.data.workers
    return Loader(samples, batch_sampler=batches, num_workers=workers, pin_memory=pin)


def validation_loader(config: Config, batch_size: int, pin: bool) -> Loader:
    """The same crops of the validation foregrounds each time, without augmentation."""
    samples = _samples(config, "valid")
    keys = [(0, index) for index in range(len(samples))]
    # In the main process, which keeps the backgrounds from one validation to the next.
    return Loader(samples, sampler=keys, batch_size=batch_size, pin_memory=pin)


def training_samples(config: Config) -> CropSet:
    """What a training of `config` sees.

    Raises:
        InputError: no data, no split or no store.
    """
    return _samples(config, "train")


def _samples(config: Config, part: Literal["train", "valid"]) -> CropSet:
    options = config.data
    everything = foregrounds(options.folder, "train")
    problems: list[str] = []
    behind = backgrounds(options.folder, "train", options.backgrounds, problems)
    tolerate(problems, len(behind) + len(problems), "backgrounds")
    store = Store(options.folder)
    split = getattr(read_split(options.folder), part)
    chosen = set(store.usable([one for one in everything if one.name in split]))
    items = []
    for place, one in enumerate(everything):
        if one in chosen:
            first = place * options.backgrounds_per_foreground
            for number in _numbers(split[one.name], one.name, options, part):
                own = None if number is None else behind[(first + number) % len(behind)]
                items.append(Item(one, own))
    augment = config.augment if part == "train" else None
    return CropSet(store, items, behind, options, augment, config.seed)


def _numbers(
    composites: list[int] | None, name: str, options: DataConfig, part: str
) -> list[int | None]:
    """For each sample of a foreground which of its backgrounds it has; None: any."""
    each = options.backgrounds_per_foreground
    if composites is None:
        if part == "valid":
            return [None] * options.valid_backgrounds
        return [None] * each if options.shuffle_backgrounds else list(range(each))
    if max(composites) >= each:
        raise InputError(
            f"data.backgrounds_per_foreground: {each}, but the split lists {name}_{max(composites)}"
            "; raise it, or run data_gen.py again"
        )
    return composites[: options.valid_backgrounds] if part == "valid" else composites


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
