"""Decoders fill in what is missing or damaged, and only say so on stderr: what did they say?"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2

STDERR = 2
# What libjpeg, and libtiff in Pillow, write there of damage, always with the same beginnings.
DAMAGE = re.compile(
    rb"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression sequence|"
    rb"(tempfile\.tif|(_?TIFF|JPEG|LZW|PackBits|ZIP|Fax|MissingRequired)\w*): "
)
# libpng refuses what is no picture, and forgives where all is there; libjpeg forgives these.
KNOWN_OTHERWISE = (b"libpng ", b"Warning: unknown JFIF revision", b"Invalid SOS parameters")
OPENCV = b"[ERROR:"
OPENCV_WARNING = re.compile(rb"\[ WARN:.*?(\w+Decode|JPEGLib): ")
SILENT, WARNINGS = cv2.utils.logging.LOG_LEVEL_SILENT, cv2.utils.logging.LOG_LEVEL_WARNING

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
                cv2.utils.logging.setLogLevel(WARNINGS)
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
        if DAMAGE.match(line) or (opencv and OPENCV_WARNING.match(line)):
            damaged = True
        elif opencv and line.startswith(b"[ WARN:"):
            continue
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
