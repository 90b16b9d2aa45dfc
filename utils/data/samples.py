"""What a loader needs of the data of a task: samples, and what was wrong with their pictures."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from models.errors import InputError
from utils.cli.problems import refuse, tolerate
from utils.config.options import Config

Subset = Literal["train", "valid"]
TRIES = 20  # so many pictures in a row that cannot be used are an error

Picture = TypeVar("Picture")
Result = TypeVar("Result")


class SampleResult(NamedTuple):
    """A sample, and what was wrong with the pictures that it could not be made of.

    The sample is a NamedTuple of tensors, or None where it has no such part.
    """

    sample: NamedTuple
    problems: tuple[str, ...]


class Samples(Protocol):
    """Samples by (epoch, index), always the same; `members` in a row stay together."""

    members: int

    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int]) -> SampleResult: ...


class Failures:
    """What went wrong with pictures during a training; each problem is logged when it is new.

    Args:
        total: how many pictures there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.problems: list[str] = []

    def add(self, problems: Iterable[str]) -> None:
        """Note `problems`, which may be known already.

        Raises:
            InputError: more than 1 % of the pictures have one.
        """
        known = self.problems
        new = [problem for problem in dict.fromkeys(problems) if problem not in known]
        self.problems = [*known, *new]
        tolerate(new, self._total, "pictures", known)

    def __str__(self) -> str:
        """The count for the end of an epoch; empty without problems."""
        count = len(self.problems)
        return f"{count} of {self._total} pictures left out" if count else ""


class TrainingData(Protocol):
    """The data of a config, looked at once; training and validation share what is wrong with it."""

    config: Config
    failures: Failures

    def samples(self, subset: Subset) -> Samples:
        """The samples that train, or the same each time of those that validate."""

    def identity(self) -> dict[str, str]:
        """A short text for each thing that samples are made of: equal for the same, anywhere."""


def first_usable(
    first: Picture | None,
    others: Sequence[Picture],
    read: Callable[[Picture], Result],
    rng: np.random.Generator,
    problems: list[str],
) -> Result:
    """What `read` makes of the first, or of one drawn of the others where that cannot be read.

    Args:
        first: None draws one of the others.
        problems: what was wrong with those that cannot be read is added to it.

    Raises:
        InputError: twenty in a row cannot be read.
    """
    for _ in range(TRIES):
        one = others[rng.integers(len(others))] if first is None else first
        try:
            return read(one)
        except InputError as error:
            problems.append(str(error))
            first = None
    refuse(problems)


def short(content: object) -> str:
    """A text of 64 characters that plain data of the same content share."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def planes(parts: Sequence[np.ndarray], flipped: bool) -> list[Tensor]:
    """Pictures (H,W,3) or (H,W) as tensors (3,H,W) or (1,H,W) of one block of memory."""
    channels = [plane for part in parts for plane in cv2.split(part)]
    planes = np.empty((len(channels), *channels[0].shape), np.uint8)
    for plane, channel in zip(planes, channels, strict=True):
        if flipped:
            cv2.flip(channel, 1, dst=plane)  # NumPy takes ten times as long
        else:
            plane[:] = channel
    return list(torch.from_numpy(planes).split([1 if p.ndim == 2 else 3 for p in parts]))
