"""Read a PyTorch file of any age as plain data: nothing in it is imported, called or run.

PyTorch's own readers take its word for sizes and hand some files to an interpreter. Here every size
is compared with the file's before memory is taken for it.
"""

import io
import math
import mmap
import os
import stat
import struct
import sys
import zipfile
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

from models.errors import InputError
from models.files import plain_pickle
from models.files.plain_pickle import Name

ZIP = b"PK\x03\x04"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the format before PyTorch 1.6
DIMENSIONS = 16
SHARING = 16  # tensors may share storages, but not add up to more than so many files
TYPES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
    "UntypedStorage": torch.uint8,
}
# What damaged bytes have been seen to raise.
DAMAGE = (
    UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    ArithmeticError,
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


def check(path: Path | str) -> None:
    """Raise an `InputError` unless there is a file that can be read at any place.

    A pipe would be waited for, and a device has no end.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise InputError(
            f"{path}: no such checkpoint; train one, or give the path of yours"
        ) from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; name a checkpoint in it")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is a pipe or a device; give a file")


def read(path: Path | str) -> object:
    """The content of a PyTorch file, with husks for its objects; tensors are on the CPU.

    Raises:
        InputError: no such file, truncated, a program, or it asks for what no checkpoint needs.
    """
    check(path)
    try:
        with Path(path).open("rb") as file:
            start = file.read(len(ZIP))
            file.seek(0)
            return _read_zip(file) if start == ZIP else _read_old(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except DAMAGE as error:
        raise unreadable(path) from error


def unreadable(path: Path | str) -> InputError:
    """What to say of a file whose bytes make no sense."""
    return InputError(f"{path}: truncated, or no checkpoint; copy, fetch or train it again")


class _Storage(NamedTuple):
    content: bytearray
    dtype: torch.dtype


class _Storages:
    """The storages of a file, and the tensors made of them."""

    def __init__(self, size: int) -> None:
        self._size, self._left = size, SHARING * size
        self.found: dict[str, _Storage] = {}
        self.makers = {
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
            ("torch", "Size"): lambda size: size,
        }

    def announce(self, identity: object) -> object:
        """The storage of a persistent id, whose bytes come later."""
        if isinstance(identity, tuple) and identity[0] == "module":
            return identity[1]  # a class with its source, which is not looked at
        kind, name, key, _, count, *view = identity
        if kind != "storage" or not isinstance(name, Name) or not isinstance(key, str) or any(view):
            raise UnpicklingError("a persistent id of another kind")
        dtype = TYPES[name.name.lstrip("_")]
        size = _whole(count) * dtype.itemsize
        if key not in self.found:
            self._size -= size
            if self._size < 0:
                raise UnpicklingError("storages larger than the file")
            self.found[key] = _Storage(bytearray(size), dtype)
        if len(self.found[key].content) != size:
            raise UnpicklingError("a storage of two sizes")
        return self.found[key]._replace(dtype=dtype)

    def _tensor(
        self, storage: _Storage, offset: int, size: tuple, stride: tuple, *_: object
    ) -> Tensor:
        if not isinstance(storage, _Storage) or len(size) > DIMENSIONS:
            raise UnpicklingError("a tensor of no storage")
        count = math.prod(map(_whole, size))
        self._left -= count * storage.dtype.itemsize
        if self._left < 0:
            raise UnpicklingError("tensors larger than their storages")
        if count == 0:
            return torch.empty(size, dtype=storage.dtype)
        flat = torch.frombuffer(storage.content, dtype=storage.dtype)
        return flat.as_strided(size, stride, offset)  # refuses what lies outside


def _whole(number: object) -> int:
    if type(number) is not int or number < 0:
        raise UnpicklingError("a size that is no number")
    return number


def _read_zip(file: BinaryIO) -> object:
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        records = {record.filename: record for record in archive.infolist()}
        (start,) = (name for name in records if name.split("/")[1:] == ["data.pkl"])
        folder = start.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in records:
            raise InputError("a TorchScript program, not weights; save its state_dict() instead")
        if sum(record.file_size for record in archive.infolist()) > size:
            raise UnpicklingError("it would unpack to more than the file")
        order = f"{folder}byteorder"
        _check_order(order not in records or archive.read(order) == b"little")

        storages = _Storages(size)
        data = io.BytesIO(archive.read(start))
        content = plain_pickle.read(data, storages.makers, storages.announce)
        for key, storage in storages.found.items():
            record = records[f"{folder}data/{key}"]
            if record.file_size != len(storage.content):
                raise UnpicklingError("a storage of another length than announced")
            with archive.open(record) as source:
                _fill(storage, source)
        return content


def _read_old(file: BinaryIO) -> object:
    """Five pickles, and then the storages, each with its length."""
    size = os.fstat(file.fileno()).st_size
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        plain = partial(plain_pickle.read, data)
        if plain() != MAGIC or plain() != PROTOCOL:
            raise UnpicklingError("no file of PyTorch")
        _check_order(plain()["little_endian"])
        storages = _Storages(size)
        content = plain_pickle.read(data, storages.makers, storages.announce)
        keys = plain()
        texts = all(isinstance(key, str) for key in keys)
        if not texts or sorted(keys) != sorted(storages.found):
            raise UnpicklingError("other storages than announced")
        for key in keys:
            storage = storages.found[key]
            (count,) = struct.unpack("<q", data.read(8))
            if count * storage.dtype.itemsize != len(storage.content):
                raise UnpicklingError("a storage of another length than announced")
            _fill(storage, data)
        return content


def _fill(storage: _Storage, source: BinaryIO) -> None:
    target = memoryview(storage.content)
    while target:
        part = source.read(min(len(target), 1 << 24))
        if not part:
            raise EOFError
        target[: len(part)] = part
        target = target[len(part) :]


def _check_order(little: bool) -> None:
    if not little or sys.byteorder != "little":
        raise InputError("its numbers stand in another order of bytes than this machine's")
