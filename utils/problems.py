"""How problems are told: the first is raised, or all are collected."""

from models.errors import InputError


def complain(problem: str, problems: list[str] | None) -> None:
    """Raise an `InputError` of `problem`, or add it to `problems` where they are collected."""
    if problems is None:
        raise InputError(problem)
    problems.append(problem)
