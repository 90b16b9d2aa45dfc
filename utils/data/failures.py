"""Pictures that cannot be used, among thousands: each is named once, and too many are an error."""

import logging
from collections.abc import Iterable, Sequence

from models.errors import InputError

log = logging.getLogger(__name__)

BAD_SHARE = 0.01  # so many of the pictures may be bad


def tolerate(problems: Sequence[str], total: int, what: str) -> None:
    """Log `problems`, one line each.

    Raises:
        InputError: more than 1 % of the `total` of `what` have one.
    """
    if len(problems) > BAD_SHARE * total:
        raise InputError(_too_many(problems, total, what))
    for problem in problems:
        log.warning("left out: %s", problem)


class Failures:
    """What went wrong with pictures during a training; each problem is logged when it is new.

    Args:
        total: how many pictures there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._problems: dict[str, None] = {}

    def add(self, problems: Iterable[str]) -> None:
        """Note `problems`, which may be known already.

        Raises:
            InputError: more than 1 % of the pictures have one.
        """
        for problem in problems:
            if problem not in self._problems:
                self._problems[problem] = None
                if len(self._problems) > BAD_SHARE * self._total:
                    raise InputError(_too_many(list(self._problems), self._total, "pictures"))
                log.warning("left out: %s", problem)

    def __str__(self) -> str:
        """The count for the end of an epoch; empty without problems."""
        count = len(self._problems)
        return f"{count} of {self._total} pictures left out" if count else ""


def _too_many(problems: Sequence[str], total: int, what: str) -> str:
    more = f" (and {len(problems) - 1} more of {total} {what})" if len(problems) > 1 else ""
    return f"{problems[0]}{more}"
