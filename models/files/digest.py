"""A short text that two contents share if and only if they are the same."""

import hashlib

import torch
from torch import Tensor

from models.errors import InputError

ATOMS = (type(None), bool, int, float, str, bytes)
DEEPEST = 100  # of lists in lists; a list that holds itself is deeper


def digest(content: object) -> str:
    """SHA-256 over plain data: tensors, numbers, texts, lists (or tuples) and dictionaries.

    A dictionary's order and a tensor's layout in memory do not matter; types and shapes do. Equal
    parts are read once, however often they are named.

    Raises:
        InputError: something else is in it, or it is nested without end.
    """
    return _digest(content, {}, 0).hex()


def _digest(value: object, known: dict[int, bytes], depth: int) -> bytes:
    if id(value) in known:
        return known[id(value)]
    if depth > DEEPEST:
        raise InputError("its content is nested without end; copy or train it again")
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        found = hashlib.sha256(f"tensor {plain.dtype} {tuple(plain.shape)} ".encode())
        found.update(plain.reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, dict):
        found = hashlib.sha256(b"dict ")
        pairs = [[_digest(part, known, depth + 1) for part in item] for item in value.items()]
        for key, member in sorted(pairs):
            found.update(key + member)
    elif isinstance(value, (list, tuple)):
        found = hashlib.sha256(b"list ")
        for member in value:
            found.update(_digest(member, known, depth + 1))
    elif type(value) in ATOMS:  # no subclass, which would not be read back as such
        return hashlib.sha256(f"{type(value).__name__} {value!r}".encode()).digest()
    else:
        raise InputError(f"it holds a {type(value).__name__}, which is no plain data; leave it out")
    known[id(value)] = found.digest()
    return known[id(value)]
