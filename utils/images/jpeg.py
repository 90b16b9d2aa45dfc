"""Is a JPEG whole? Its decoder fills what is missing with grey, and only says so on stderr."""

import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

START = b"\xff\xd8"
END = b"\xff\xd9"
SCAN = 0xDA
STDERR = 2
# What libjpeg writes there of damage, always with the same beginnings.
DAMAGE = (b"Corrupt JPEG data", b"Premature end of JPEG", b"Inconsistent progression sequence")

_one_at_a_time = threading.Lock()
# A process that is forked meanwhile would keep the exchanged stderr.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_one_at_a_time.acquire,
        after_in_parent=_one_at_a_time.release,
        after_in_child=_one_at_a_time.release,
    )


def check_markers(data: bytes) -> None:
    """Raise a `ValueError` or similar unless an end marker follows the first scan."""
    at = len(START)
    while data[at + 1] != SCAN:
        if data[at] != 0xFF:
            raise ValueError("damaged")
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
    data.rindex(END, at)  # from the end, where it is


@contextmanager
def damage_raises() -> Iterator[None]:
    """Raise a `ValueError` at the end of the block if libjpeg has warned of damage inside it.

    OpenCV hands its warnings on to stderr alone, so that is exchanged for a file meanwhile. What
    others have written there is written again.
    """
    with _one_at_a_time, _scratch() as scratch:
        try:
            kept = os.dup(STDERR)
        except OSError:  # there is no stderr, and nothing can be heard
            yield
            return
        try:
            os.dup2(scratch, STDERR)
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
            said = _content(scratch)
            others = [line for line in said.splitlines(True) if not line.startswith(DAMAGE)]
            if others:
                os.write(STDERR, b"".join(others))
        if len(others) < len(said.splitlines()):
            raise ValueError("damaged")


@contextmanager
def _scratch() -> Iterator[int]:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("stderr")
        try:
            yield file
        finally:
            os.close(file)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()


def _content(file: int) -> bytes:
    size = os.lseek(file, 0, os.SEEK_END)
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, size) if size else b""
