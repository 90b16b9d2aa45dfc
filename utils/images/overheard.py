"""Decoders fill in what is missing or damaged, and only say so on stderr: what did they say?"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2

STDERR = 2
# What libjpeg, and libtiff in Pillow, write there of damage, always with the same beginnings.
DAMAGE = (
    *(b"Corrupt JPEG data", b"Premature end of JPEG", b"Inconsistent progression sequence"),
    *(b"tempfile.tif: ", b"JPEGLib: ", b"LZWDecode: ", b"PackBitsDecode: ", b"ZIPDecode: "),
)
KNOWN_OTHERWISE = b"libpng "  # what it refuses is no picture, and of what it forgives all is there
OPENCV = b"[ERROR:"
SILENT, ERRORS = cv2.utils.logging.LOG_LEVEL_SILENT, cv2.utils.logging.LOG_LEVEL_ERROR

_one_at_a_time = threading.Lock()
# A process that is forked meanwhile would keep the exchanged stderr.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_one_at_a_time.acquire,
        after_in_parent=_one_at_a_time.release,
        after_in_child=_one_at_a_time.release,
    )


@contextmanager
def damage_raises(opencv: bool = False) -> Iterator[None]:
    """Raise a `ValueError` at the end of the block if a decoder has complained of damage inside it.

    OpenCV hands the warnings of its libraries on to stderr alone, so that is exchanged for a file
    meanwhile. What others have written there is written again.

    Args:
        opencv: whether OpenCV, too, shall say what is wrong, which it does of TIFF files.
    """
    with _one_at_a_time, _scratch() as scratch:
        try:
            kept = os.dup(STDERR)
        except OSError:  # there is no stderr, and nothing can be heard
            yield
            return
        damaged = False
        try:
            os.dup2(scratch, STDERR)
            if opencv:
                cv2.utils.logging.setLogLevel(ERRORS)
            yield
        finally:
            if opencv:
                cv2.utils.logging.setLogLevel(SILENT)
            os.dup2(kept, STDERR)
            os.close(kept)
            if said := _content(scratch):
                damaged, others = _understood(said, opencv)
                with suppress(OSError):
                    os.write(STDERR, others)
        if damaged:
            raise ValueError("damaged")


def _understood(said: bytes, opencv: bool) -> tuple[bool, bytes]:
    """Whether what was said tells of damage; and what is not of the decoders."""
    damaged = False
    if opencv and OPENCV in said:  # in several lines, the last that are written
        damaged, said = True, said.partition(OPENCV)[0]
    others = []
    for line in said.splitlines(keepends=True):
        if line.startswith(DAMAGE):
            damaged = True
        elif not line.startswith(KNOWN_OTHERWISE):
            others.append(line)
    return damaged, b"".join(others)


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
