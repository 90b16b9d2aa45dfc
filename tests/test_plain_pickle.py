"""The pickle machine: what honest pickles hold, husks for the rest, and nothing that is real."""

import argparse
import collections
import io
import pathlib
import pickle

import numpy as np
import pytest

from models.errors import InputError
from models.files import plain_pickle
from models.files.plain_pickle import Husk, Name
from models.files.torch_file import DAMAGE

PLAIN = {
    "none": None,
    "truths": [True, False],
    "numbers": [0, -1, 255, 65536, 2**31, -(2**70), 0.5, float("inf")],
    "texts": ["", "a\nb", "\u00e4\u4e2d", "x" * 300],
    "bytes": [b"", b"a", b"x" * 300],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "nested": {"a": {"b": [[], {}, [{}]]}, 1: 2, (1, "x"): 3},
}


def read(data: bytes, **options) -> object:
    return plain_pickle.read(io.BytesIO(data), **options)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back_as_it_was(protocol):
    wanted = {key: value for key, value in PLAIN.items() if protocol > 2 or key != "bytes"}
    assert read(pickle.dumps(wanted, protocol)) == wanted


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_shared_stays_shared(protocol):
    inner = [1]
    first, second = read(pickle.dumps([inner, inner], protocol))
    assert first is second


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_ordered_dictionaries_are_dictionaries(protocol):
    content = collections.OrderedDict(b=1, a=2)
    content._metadata = {"version": 1}
    found = read(pickle.dumps(content, protocol))
    assert type(found) is dict and list(found.items()) == [("b", 1), ("a", 2)]
    found = read(pickle.dumps(collections.defaultdict(list, a=[1]), protocol))
    assert type(found) is dict and found == {"a": [1]}


def test_an_ordered_dictionary_of_python_2_is_read():
    pairs = b"]q\x00]q\x01(U\x01aK\x01ea]q\x02(U\x01bK\x02ea"
    assert read(b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R.") == {"a": 1, "b": 2}


class Thing:
    def __init__(self) -> None:
        self.weight = [1, 2]


class Slotted:
    __slots__ = ("part",)

    def __init__(self) -> None:
        self.part = 1


class Things(list):
    pass


class Table(dict):
    pass


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_objects_leave_their_attributes(monkeypatch, protocol):
    for one in (Thing, Slotted, Things, Table):
        monkeypatch.setattr(one, "__module__", "utils.own")
    monkeypatch.setitem(__import__("sys").modules, "utils.own", __import__(__name__, fromlist="a"))
    made = [Thing(), Slotted(), Things([1]), Table(a=1)]
    found = read(pickle.dumps(made, protocol))
    assert [type(one) for one in found] == [Husk] * 4
    assert found[0].attributes == {"weight": [1, 2]} and found[1].attributes == {}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "harmless",
    [
        np.float64(0.1),
        np.arange(3.0),
        np.dtype("int16"),
        np.dtype([("a", "f4"), ("b", "i8")]),
        collections.Counter("aab"),
        argparse.Namespace(lr=0.1),
        pathlib.PurePosixPath("/a/b"),
        pathlib.Path("a"),
        {1, 2},
        frozenset({1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_scripts_leave_beside_weights_is_inert(protocol, harmless):
    data = pickle.dumps([harmless, "behind"], protocol)
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):  # of any release
        old = np.float64(0).__reduce__()[0].__module__.encode()
        found = read(data.replace(b"c" + old + b"\n", b"c" + name + b"\n"))
        assert type(found[0]) is Husk and found[1] == "behind"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch.hub", "load"),
        ("torch.serialization", "load"),
        ("torch", "load"),
        ("torchnn", "Module"),
        ("modelsx", "DIMModel"),
        ("functools", "partial"),
    ],
)
def test_other_names_are_refused(module, name):
    for data in (
        f"c{module}\n{name}\n.".encode(),
        b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)])
        + name.encode() + b"\x93.",
    ):  # fmt: skip
        with pytest.raises(InputError, match=rf"it asks for {module}\.{name}, .*refused"):
            read(data)


@pytest.mark.parametrize(
    "module", ["models.files.saving", "torch.nn.functional", "utils.cli.command"]
)
def test_a_function_by_an_admitted_name_is_only_a_name(module):
    name = f"c{module}\nload\n".encode()
    assert read(name + b".") == Name(module, "load")
    assert type(read(name + b"X\x01\x00\x00\x00a\x85R.")) is Husk


@pytest.mark.parametrize(
    "program",
    [
        b"K\x01)R",  # a number is called
        b"(K\x01K\x02o",
        b"K\x01}b",
        b"K\x01K\x02a",
        b"K\x01K\x02K\x03s",
        b"}]Ns",  # a list as key
        b"}(K\x01u",  # a key without a value
        b"0",
        b"a",
        b"e",
        b"h\x05",
        b"K\x01Q",  # no persistent ids here
        b"P1\n",
        b"\xff",
        b"",
    ],
)
def test_programs_that_make_no_sense_are_damage(program):
    with pytest.raises(DAMAGE):
        read(b"\x80\x02" + program + b".")


def test_what_follows_a_pickle_is_left_to_who_reads_next():
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]) + b"rest")
    assert [plain_pickle.read(file), plain_pickle.read(file), file.read()] == [1, [2], b"rest"]
