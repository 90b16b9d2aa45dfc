"""SIGTERM, SIGHUP, Ctrl-C: a wish that a training grants, nothing for workers, a script's end."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

CODES = (signal.SIGTERM, signal.SIGINT)
if getattr(signal, "SIGHUP", None) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    CODES = (*CODES, signal.SIGHUP)  # a terminal that is gone; under nohup that is nothing


class StopRequest:
    """As a context manager, notes the first of these signals in `signal`.

    A second one ends the process at once, as the system does: also where it hangs. Inside
    `defer_signals`, and after it, it is ignored.

    Args:
        patient: a second one is ignored always: torchrun and Slurm both send one, and torchrun
            ends what hangs.
    """

    def __init__(self, patient: bool = False) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict = {}
        self._patient = patient
        self._saves = False

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; in others the process's own stay.
        if threading.current_thread() is threading.main_thread():
            self._before = {code: signal.signal(code, self._note) for code in CODES}
        return self

    def __exit__(self, *_: object) -> None:
        for code, handler in self._before.items():
            signal.signal(code, handler)

    def __bool__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @contextmanager
    def defer_signals(self) -> Iterator[None]:
        """Inside, no signal ends the process: for what must be saved whole.

        After it neither, if one has come: what was asked to stop has saved, and only ends.
        """
        self._saves = True
        self._set(self._note)
        try:
            yield
        finally:
            self._saves = bool(self)

    def _note(self, code: int, _: FrameType | None) -> None:
        if code == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        self.signal = self.signal or signal.Signals(code)
        if not (self._saves or self._patient):
            self._set(signal.SIG_DFL)

    def _set(self, handler: Callable | signal.Handlers) -> None:
        for code in self._before:
            signal.signal(code, handler)


def _leave_terminal() -> None:
    """Write to no terminal any more: one that is gone would end what is yet to be saved."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with suppress(OSError):  # closed
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nothing, stream)
    os.close(nothing)


def end_on_signals() -> None:
    """From now on a signal ends this process at once, without a word; Python's own end is near."""
    for code in CODES:
        signal.signal(code, signal.SIG_DFL)


@contextmanager
def withheld_from_workers() -> Iterator[None]:
    """Processes that are started inside never get a signal; this one does, there or after."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Slurm's warning of a time limit, SIGUSR2, goes to all processes of a job.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*CODES, signal.SIGUSR2))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
