"""A short text that two contents share if and only if they are the same."""

import hashlib

import torch
from torch import Tensor

from models.errors import InputError

ATOMS = (type(None), bool, int, float, str, bytes)


def digest(content: object) -> str:
    """SHA-256 over plain data: tensors, numbers, texts, lists (or tuples) and dictionaries.

    A dictionary's order and a tensor's layout in memory do not matter; types and shapes do.

    Raises:
        InputError: something else is in it.
    """
    return _digest(content).hex()


def _digest(value: object) -> bytes:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        hashed = hashlib.sha256(f"tensor {plain.dtype} {tuple(plain.shape)} ".encode())
        hashed.update(plain.reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, dict):
        hashed = hashlib.sha256(b"dict ")
        for pair in sorted([_digest(part) for part in item] for item in value.items()):
            hashed.update(b"".join(pair))
    elif isinstance(value, (list, tuple)):
        hashed = hashlib.sha256(b"list ")
        for member in value:
            hashed.update(_digest(member))
    elif type(value) in ATOMS:  # no subclass, which would not be read back as such
        hashed = hashlib.sha256(f"{type(value).__name__} {value!r}".encode())
    else:
        raise InputError(f"it holds a {type(value).__name__}, which is no plain data; leave it out")
    return hashed.digest()
