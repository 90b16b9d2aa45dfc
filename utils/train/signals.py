"""SIGTERM and Ctrl-C as a wish that the loop grants at the end of a step."""

import signal
import threading
from types import FrameType


class StopRequest:
    """As a context manager, notes the first SIGTERM or SIGINT in `signal`; a second one kills."""

    CODES = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict = {}

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; in others the process's own stay.
        if threading.current_thread() is threading.main_thread():
            self._before = {code: signal.signal(code, self._note) for code in self.CODES}
        return self

    def __exit__(self, *_: object) -> None:
        for code, handler in self._before.items():
            signal.signal(code, handler)

    def _note(self, code: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(code)
        self.__exit__()
