"""Pictures that turned out bad during a training: each is named once, and too many are an error."""

from collections.abc import Iterable

from utils.cli.problems import tolerate


class Failures:
    """What went wrong with pictures during a training; each problem is logged when it is new.

    Args:
        total: how many pictures there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._problems: list[str] = []

    def add(self, problems: Iterable[str]) -> None:
        """Note `problems`, which may be known already.

        Raises:
            InputError: more than 1 % of the pictures have one.
        """
        known = self._problems
        new = [problem for problem in dict.fromkeys(problems) if problem not in known]
        self._problems = [*known, *new]
        tolerate(new, self._total, "pictures", known)

    def __str__(self) -> str:
        """The count for the end of an epoch; empty without problems."""
        count = len(self._problems)
        return f"{count} of {self._total} pictures left out" if count else ""
