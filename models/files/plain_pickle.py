"""Read a pickle without importing, calling or changing anything that it names.

A pickle is a program for a stack machine. Python's runs it with real classes and functions; this
one has none. A name stays a `Name`, an object is a `Husk` of its attributes, and only the functions
that the caller gives are called. Memory and time grow with the pickle's length alone: nothing is
copied that could be named again.
"""

import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import BinaryIO

from models.errors import InputError

# What old checkpoints and training scripts leave beside the weights: classes of these packages,
PACKAGES = re.compile(r"(models|torch\.nn|torch\.optim|utils|numpy|pathlib)(\.\w+)*")
# and these names, as `module.name`.
NAMES = re.compile(
    r"torch(\.\w+)*\.\w+Storage|torch\._utils\._rebuild_\w+|torch\.(Size|device)"
    r"|torch\.(bool|[a-z]+\d+\w*)"  # types of numbers
    r"|collections\.(Counter|OrderedDict|defaultdict)|argparse\.Namespace"
    r"|_codecs\.encode"  # the bytes of a NumPy scalar
    r"|(builtins|__builtin__)\."
    r"(bool|bytes|complex|dict|float|frozenset|int|list|object|set|str|tuple)"
)
LONGEST_KEY = 16  # of a tuple, whose hash is computed anew each time
ATOMS = (str, int, float, bytes, complex, type(None))
VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}


@dataclass(frozen=True)
class Name:
    """What a pickle calls a class, a function or a constant; never the thing itself."""

    module: str
    name: str


class Husk:
    """What is left of a pickled object whose class is not run: its attributes."""

    def __init__(self) -> None:
        self.attributes: dict = {}


def read(
    file: BinaryIO,
    makers: Mapping[tuple[str, str], Callable] | None = None,
    persistent: Callable[[object], object] | None = None,
) -> object:
    """What the pickle at the file's position holds; the file stands behind it then.

    Args:
        makers: what to call for a name `(module, name)` instead of leaving a husk.
        persistent: gives the object of a persistent id.

    Raises:
        InputError: it asks for something that no checkpoint needs.
        Exception: it is damaged, or no pickle; what is raised depends on where.
    """
    return _Machine(MAKERS | dict(makers or {}), persistent).run(file)


def _dictionary(pairs: list | None = None) -> dict:
    made: dict = {}
    if type(pairs) is list:  # as Python 2 writes an OrderedDict
        _fill(made, [value for pair in pairs for value in pair[:2]])
        pairs.clear()  # named again it must cost nothing
    return made


MAKERS: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): _dictionary,
    ("collections", "defaultdict"): lambda factory=None: {},
    ("builtins", "dict"): _dictionary,
    ("__builtin__", "dict"): _dictionary,
}


class _Machine:
    def __init__(self, makers: dict, persistent: Callable[[object], object] | None) -> None:
        self._makers, self._persistent = makers, persistent
        self._stack: list = []
        self._below: list[list] = []  # the stacks under each mark
        self._memo: dict[int, object] = {}

    def run(self, file: BinaryIO) -> object:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                break
            self._step(opcode.name, argument)
        return self._pop()

    def _step(self, opcode: str, argument: object) -> None:
        match opcode:
            case _ if opcode in VALUES:
                self._push(argument)
            case "BINGET" | "LONG_BINGET" | "GET":
                self._push(self._memo[argument])
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self._memo[argument] = self._stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "PROTO" | "FRAME":
                pass
            case "NONE":
                self._push(None)
            case "NEWTRUE" | "NEWFALSE":
                self._push(opcode == "NEWTRUE")
            case "MARK":
                self._below.append(self._stack)
                self._stack = []
            case "POP" if self._stack:
                self._pop()
            case "POP" | "POP_MARK":
                self._since_mark()
            case "DUP":
                self._push(self._stack[-1])
            case "EMPTY_TUPLE":
                self._push(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self._push(tuple(reversed([self._pop() for _ in range(int(opcode[-1]))])))
            case "TUPLE":
                self._push(tuple(self._since_mark()))
            case "EMPTY_LIST":
                self._push([])
            case "LIST":
                self._push(self._since_mark())
            case "EMPTY_DICT":
                self._push({})
            case "DICT":
                items = self._since_mark()
                self._push({})
                _fill(self._stack[-1], items)
            case "APPEND":
                value = self._pop()
                _extend(self._stack[-1], [value])
            case "APPENDS":
                items = self._since_mark()
                _extend(self._stack[-1], items)
            case "SETITEM":
                value, key = self._pop(), self._pop()
                _fill(self._stack[-1], [key, value])
            case "SETITEMS":
                items = self._since_mark()
                _fill(self._stack[-1], items)
            case "EMPTY_SET":
                self._push(Husk())  # no weights in it
            case "ADDITEMS":
                self._since_mark()
            case "FROZENSET":
                self._since_mark()
                self._push(Husk())
            case "GLOBAL":
                self._push(_admitted(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = self._pop(), self._pop()
                self._push(_admitted(module, name))
            case "REDUCE" | "NEWOBJ":
                arguments, called = self._pop(), self._pop()
                self._push(self._made(called, arguments))
            case "NEWOBJ_EX":
                _, arguments, called = self._pop(), self._pop(), self._pop()
                self._push(self._made(called, arguments))
            case "INST":
                arguments = tuple(self._since_mark())
                self._push(self._made(_admitted(*argument.split(" ", 1)), arguments))
            case "OBJ":
                called, *arguments = self._since_mark()
                self._push(self._made(called, tuple(arguments)))
            case "BUILD":
                state = self._pop()
                _build(self._stack[-1], state)
            case "BINPERSID" if self._persistent:
                self._push(self._persistent(self._pop()))
            case _:
                raise UnpicklingError(f"{opcode} in a checkpoint")

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> object:
        return self._stack.pop()

    def _since_mark(self) -> list:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _made(self, called: object, arguments: object) -> object:
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise UnpicklingError("what it calls is no name")
        maker = self._makers.get((called.module, called.name))
        return maker(*arguments) if maker else Husk()


def _admitted(module: str, name: str) -> Name:
    if PACKAGES.fullmatch(module) or NAMES.fullmatch(f"{module}.{name}"):
        return Name(module, name)
    asked = " ".join(f"{module}.{name}".split())[:100]
    raise InputError(f"it asks for {asked}, which no checkpoint needs; refused")


def _extend(target: object, items: list) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Husk):  # of a class that is a list: what it holds is not kept
        raise UnpicklingError("items for what is no list")


def _fill(target: object, items: list) -> None:
    """Take keys and values in turn into a dictionary."""
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_checked_key(key)] = value
    elif not isinstance(target, Husk):
        raise UnpicklingError("entries for what is no dictionary")


def _checked_key(key: object) -> object:
    """A key whose hash is quick: that of nested tuples can take for ever."""
    if isinstance(key, (dict, list)):
        raise UnpicklingError("a key that changes")
    if isinstance(key, tuple) and not (
        len(key) <= LONGEST_KEY and all(isinstance(part, ATOMS) for part in key)
    ):
        raise UnpicklingError("a key of many parts")
    return key


def _build(target: object, state: object) -> None:
    if isinstance(target, Husk):
        if isinstance(state, tuple) and state:  # what the object has, and what its slots hold
            state = state[0]
        target.attributes = state if isinstance(state, dict) else {}
    elif not isinstance(target, dict):  # attributes of an OrderedDict are not kept
        raise UnpicklingError("attributes for what is no object")
