"""Read the checkpoints of anybody: nothing that a file names is imported or run."""

import json
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors import safe_open

from models.errors import InputError

POINTER = b"version https://git-lfs"
OURS = {"kind", "structure", "plan", "digest"}  # keys of what `models.files.saving` writes


class Husk(dict):
    """What is left of a pickled object whose class is not run: its items and its attributes."""

    dump_patches = False  # PyTorch asks each class of an old file

    def __new__(cls, *_: object, **__: object) -> "Husk":
        husk = super().__new__(cls)
        husk.attributes = {}
        return husk

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and state:  # what the object has, and what its slots hold
            state = state[0]
        self.attributes = state if isinstance(state, dict) else {}

    def append(self, _: object) -> None:
        """Of a class that is a list or a set: what it holds is not kept."""

    extend = add = append
    __hash__ = object.__hash__


class _Unpickler(pickle.Unpickler):
    """Leaves a `Husk` for each class, but for those that tensors are made of."""

    MAKERS = {  # noqa: RUF012
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
        ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
    }

    def find_class(self, module: str, name: str) -> object:
        maker = self.MAKERS.get((module, name))
        return (lambda *arguments: maker(*arguments)) if maker else Husk


def _load(file: object, **options: object) -> object:
    return _Unpickler(file, **options).load()


HUSKS = SimpleNamespace(__name__="husks", Unpickler=_Unpickler, load=_load)


def read(path: Path | str) -> object:
    """The content of a PyTorch or safetensors file, tensors on the CPU.

    Of safetensors it is the dictionary of tensors or, where this project wrote it, what
    `models.files.saving.record` gives and the digest.

    Raises:
        InputError: no such file, truncated, or a program.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a checkpoint in it")
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
        if start[8:9] == b"{":  # after the length of what it holds
            return _read_safetensors(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sources of classes, which are not run
            return _read_torch(path)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: no such checkpoint; train one, or give the path of yours"
        ) from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # damaged bytes raise anything
        raise InputError(f"{path}: {_reason(start, error)}") from error


def _reason(start: bytes, error: Exception) -> str:
    if start == POINTER:
        return "a pointer of Git LFS, no checkpoint; fetch the file with git lfs pull"
    if start.lstrip().startswith(b"<"):
        return "a web page, no checkpoint; download the file itself"
    if "TorchScript" in str(error):
        return "a TorchScript program, not weights; save its state_dict() instead"
    return "truncated, or no checkpoint; copy, fetch or train it again"


def _read_torch(path: Path) -> object:
    with path.open("rb") as file:  # of a path, PyTorch would look at its suffix
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # a pickled module, or other objects beside the weights
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=False, pickle_module=HUSKS)


def is_ours(content: object) -> bool:
    """Whether this project wrote it: damage to one key does not make it a stranger's."""
    return isinstance(content, Mapping) and len(OURS & content.keys()) > 1


def _read_safetensors(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if not is_ours(metadata):
        return weights
    return {key: json.loads(value) for key, value in metadata.items()} | {"weights": weights}
