"""PyTorch files with pickles written by hand, opcode by opcode."""

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
START = b"\x80\x02"


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    return b"I%d\n" % value


def name(module: str, what: str) -> bytes:
    return f"c{module}\n{what}\n".encode()


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def storage(kind: str, key: str, count: int) -> bytes:
    """A persistent id."""
    parts = text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count)
    return b"(" + parts + b"tQ"


def tensor(
    kind: str, key: str, count: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> bytes:
    shape, steps = (b"(" + b"".join(map(number, sizes)) + b"t" for sizes in (size, stride))
    arguments = storage(kind, key, count) + number(0) + shape + steps + b"\x89N"
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def in_zip(
    path: Path, program: bytes, storages: Mapping[str, bytes] = {}, method: int = zipfile.ZIP_STORED
) -> Path:
    """The format of today."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", START + program + b".")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def in_old_format(
    path: Path, program: bytes, keys: tuple[str, ...] = (), data: bytes = b""
) -> Path:
    """The format before PyTorch 1.6."""
    head = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True})]
    path.write_bytes(b"".join(head) + START + program + b"." + pickle.dumps([*keys], 2) + data)
    return path
