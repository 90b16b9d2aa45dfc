"""Read a pickled PyTorch file without importing or running anything that it names.

Old checkpoints pickle whole modules (`DataParallel(DIMModel)`), which normally executes whatever
the file says. Here every class becomes an inert `Husk` that only keeps its attributes, tensors are
rebuilt by PyTorch's own functions, and any other name is refused. So are TorchScript programs.
"""

import collections
import pickle
import struct
import types
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.serialization import SourceChangeWarning

from models.errors import InputError

CLASS_PACKAGES = ("models", "torch.nn", "torch.optim", "utils")
ZIP = b"PK\x03\x04"
# What unpickling damaged bytes has been seen to raise.
DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Scalars that training scripts left beside the weights, such as `"loss": np.float64(0.1)`.
NUMPY = {
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # the scalar's bytes
}
PLAIN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
    ("builtins", "dict"): dict,
    ("__builtin__", "dict"): dict,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
}


class Husk:
    """What is left of a pickled object whose class is not run: its attributes."""

    dump_patches = False  # asked for by PyTorch's reader of files before 1.6

    def __init__(self, *arguments) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):  # a NumPy dtype has a tuple instead
            vars(self).update(state)


def read(path: Path | str) -> object:
    """The content of a PyTorch file of any age, with husks for its classes.

    Raises:
        InputError: the file names something that a checkpoint has no need of, or is truncated.
    """
    try:
        if is_program(path):
            raise InputError("a TorchScript program, not weights; save its state_dict() instead")
        with warnings.catch_warnings():
            # Old files carry the source of their classes; a husk's differs, of course.
            warnings.simplefilter("ignore", SourceChangeWarning)
            return torch.load(path, "cpu", pickle_module=_PICKLE, weights_only=False)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint; give the path of yours") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder; name a checkpoint in it") from error
    except DAMAGE as error:
        raise InputError(f"{path}: truncated, or no PyTorch checkpoint; fetch it again") from error


def is_program(path: Path | str) -> bool:
    """Whether a file is a TorchScript archive, which `torch.load` would hand to its interpreter."""
    with Path(path).open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return False
    # PyTorch's own reader, so that no odd zip file can look harmless here and a program there.
    return "constants.pkl" in torch._C.PyTorchFileReader(str(path)).get_all_records()


def state_dict(module: Husk) -> dict[str, Tensor]:
    """Parameters and buffers of a pickled module, named as `nn.Module.state_dict` does."""
    own = {**vars(module).get("_parameters", {}), **vars(module).get("_buffers", {})}
    state = {name: value for name, value in own.items() if isinstance(value, Tensor)}
    for name, child in vars(module).get("_modules", {}).items():
        if isinstance(child, Husk):
            state |= {f"{name}.{key}": value for key, value in state_dict(child).items()}
    return state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) in PLAIN:
            return PLAIN[module, name]
        if module.split(".")[0] == "torch" and name.endswith("Storage"):
            return getattr(torch, name)
        if (module, name) in NUMPY:
            return Husk
        if any(module == p or module.startswith(f"{p}.") for p in CLASS_PACKAGES):
            return Husk
        raise InputError(f"it asks for {module}.{name}, which no checkpoint needs; refused")


def _load(file, **options) -> object:
    return _Unpickler(file, **options).load()


# torch.load wants a module; these are the names it uses of one.
_PICKLE = types.SimpleNamespace(
    __name__="models.plain_pickle", Unpickler=_Unpickler, load=_load, dump=pickle.dump
)
