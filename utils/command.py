"""How every script starts and ends: one line and exit code 2 for bad input, logging to stderr."""

import logging
import signal
import sys
from collections.abc import Callable

from models.errors import InputError
from utils.packages import lacking
from utils.signals import end_on_signals

log = logging.getLogger(__name__)


def run(main: Callable[[], None]) -> None:
    """Call a script's `main`; an `InputError` becomes one line and exit code 2.

    So do missing packages: a script imports none of them before it calls this.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # As an exception, so that processes are ended and temporary files removed.
    signal.signal(signal.SIGTERM, lambda code, _: sys.exit(128 + code))
    try:
        if line := lacking():
            raise InputError(line)
        main()
    except InputError as error:
        log.error("error: %s", error)
        sys.exit(2)
    except KeyboardInterrupt:
        log.error("stopped; what is whole stays")
        sys.exit(130)
    finally:
        end_on_signals()  # as an exception, Python would print it while it cleans up
