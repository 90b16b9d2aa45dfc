"""Of many problems the first is in the one line, and all of them are above it."""

import pytest

from models.errors import InputError
from tests.refusals import refused as told
from utils.cli.problems import complain, naming, refuse, tolerate
from utils.data.samples import Failures


def test_of_many_problems_one_line_is_raised_and_all_are_logged(caplog):
    refuse([])
    assert told(refuse, ["a is bad"], "set", "mend it") == "set: a is bad; mend it"
    assert not caplog.records
    problems = [f"{name} is bad" for name in "abcd"]
    line = told(refuse, problems, "set", "mend them", of="9 pictures")
    assert line == "set: a is bad (and 3 more of 9 pictures, all listed above); mend them"
    assert caplog.messages == [f"set: {one}" for one in problems]


def test_problems_are_raised_or_collected():
    problems = []
    for new in ("a: bad", ["b: bad", "c: bad"], []):
        complain(new, problems)
    assert problems == ["a: bad", "b: bad", "c: bad"]
    assert told(complain, problems, None) == "a: bad (and 2 more, all listed above)"
    complain([], None)


def test_one_in_a_hundred_is_logged_and_more_are_refused(caplog):
    tolerate(["b"], 200, "pictures", known=["a"])
    assert caplog.messages == ["left out: b"]
    line = told(tolerate, ["b"], 199, "pictures", known=["a"])
    assert line == "a (and 1 more of 199 pictures, all listed above)"


def test_failures_of_a_training_are_counted_once_each(caplog):
    failures = Failures(200)
    assert str(failures) == ""
    for _ in range(2):
        failures.add(["a", "b", "a"])
    assert str(failures) == "2 of 200 pictures left out"
    assert caplog.messages == ["left out: a", "left out: b"]
    assert told(failures.add, ["b", "c"]) == "a (and 2 more of 200 pictures, all listed above)"


def _raise_named(error: Exception) -> None:
    with naming("a.png"):
        raise error


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        (InputError("b.png is 2 x 3"), "a.png: b.png is 2 x 3"),
        (MemoryError(), "a.png: out of memory; take smaller pictures, a smaller network, "),
        (RuntimeError("can't allocate memory: you tried to allocate 4000 bytes"), "out of memory"),
    ],
)
def test_who_used_a_picture_when_memory_ended_names_it(cause, line):
    message = told(_raise_named, cause)
    assert message.startswith("a.png: ") and line in message
    with pytest.raises(RuntimeError, match="a fault"):
        _raise_named(RuntimeError("a fault"))
