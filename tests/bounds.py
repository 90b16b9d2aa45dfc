"""Bounds of time and memory that a refusal must keep."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS, BYTES = 1.0, 1 << 29


@contextmanager
def little() -> Iterator[None]:
    """Inside, a second of computing and half a gigabyte of memory must do.

    An `InputError` from inside must not hide that memory or the depth of calls ran out.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    start = time.process_time()
    try:
        yield
    except Exception as error:
        reason = error
        while reason := reason.__cause__:
            assert not isinstance(reason, (MemoryError, RecursionError)), repr(reason)
            assert "allocate memory" not in str(reason)
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        taken = time.process_time() - start
        assert taken < SECONDS, f"{taken:.1f} s"
