"""How far a job is: a bar on a terminal, and in a log plain lines, seldom."""

import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

SELDOM = 30  # seconds between two lines of one job


class Bar(tqdm):
    """tqdm's bar."""

    @property
    def rate(self) -> float:
        """Units a second, of late."""
        return self.format_dict["rate"] or 0.0


class Lines:
    """The same calls, for where nobody looks at a bar that moves: a line every half minute."""

    def __init__(
        self,
        iterable: Iterable | None = None,
        desc: str = "",
        total: int | None = None,
        initial: int = 0,
        unit: str = "it",
        disable: bool = False,
        **_: object,
    ) -> None:
        self._iterable, self._desc, self._unit = iterable, desc, unit
        self._total = len(iterable) if total is None and hasattr(iterable, "__len__") else total
        self._initial, self.n = initial, initial
        self._silent, self._more = disable, ""
        self._start = self._told = time.monotonic()

    @property
    def rate(self) -> float:
        """Units a second."""
        return (self.n - self._initial) / max(time.monotonic() - self._start, 1e-9)

    def update(self, n: int = 1) -> None:
        self.n += n
        if time.monotonic() - self._told >= SELDOM:
            self._tell()

    def set_postfix_str(self, text: str) -> None:
        """What else to say in the lines to come."""
        self._more = f", {text}"

    def write(self, text: str) -> None:
        """A line of its own, on standard output."""
        tqdm.write(text)
        sys.stdout.flush()

    def close(self) -> None:
        if not self._silent and self.n > self._initial:
            self._tell()
        self._silent = True

    def __iter__(self) -> Iterator:
        with self:
            for one in self._iterable:
                yield one
                self.update()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._silent:
            return
        name = f"{self._desc}: " if self._desc else ""
        of = "" if self._total is None else f" of {self._total}"
        seconds = self._told - self._start
        line = f"{name}{self._unit} {self.n}{of}, {seconds:.0f} s{self._more}"
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def progress_bar(*arguments: object, **options: object) -> Bar | Lines:
    """tqdm's arguments: a bar where standard error is a terminal, else lines."""
    kind = Bar if sys.stderr is not None and sys.stderr.isatty() else Lines
    return kind(*arguments, **options)
