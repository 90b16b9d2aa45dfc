"""Options that are refused before the work: numbers too large, and what does nothing in a task."""

import argparse
from collections.abc import Callable, Iterable

from models.errors import InputError

SEED = 2**63 - 1


def at_most(option: str, bound: int) -> Callable[[str], int]:
    """The type of a whole number up to `bound`; who uses it looks whether it is too small.

    Raises:
        InputError: it is larger, and would be out of memory or out of the range of a type.
    """

    def number(text: str) -> int:
        value = int(text)
        if value > bound:
            raise InputError(f"{option} {value:g}: choose {bound} or less")
        return value

    return number


def refuse_given(
    arguments: argparse.Namespace, names: Iterable[str], script: str, task: str
) -> None:
    """Raise an `InputError` where one of the options `names` is given, and does nothing in a task.

    An option that is not given is None.
    """
    for name in names:
        if getattr(arguments, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"{script}: --{option} does nothing with {task}; leave it out")
