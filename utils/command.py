"""How every script starts and ends: one line and exit code 2 for bad input, logging to stderr."""

import logging
import sys
from collections.abc import Callable

from models.errors import InputError


def main(function: Callable[[], None]) -> None:
    """Run a script's `function`; print an `InputError` as one line and exit with 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        function()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
