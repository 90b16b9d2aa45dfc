"""How every script starts and ends: one line and exit code 2 for bad input, logging to stderr."""

import logging
import signal
import sys
from collections.abc import Callable

from models.errors import InputError


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; print an `InputError` as one line and exit with 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # As an exception, so that processes are ended and temporary files removed.
    signal.signal(signal.SIGTERM, lambda code, _: sys.exit(128 + code))
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what is whole stays", file=sys.stderr)
        sys.exit(130)


main = run
