"""Save and load networks as plain data: name, structure, plan, weights and a digest, never code.

The digest is taken of all that a file holds and is compared when the file is read, so that a bit
that flips on the disk is an error and not another network. Files of versions before it hold none.
They load, with a warning, and are known by their `kind`: one changed bit cannot turn the kind of
today into theirs, so that damage cannot take the digest away unseen.
"""

import hashlib
import io
import json
import logging
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from models import published
from models.errors import InputError
from models.files.atomic import atomic
from models.files.reading import is_ours
from models.files.reading import read as read_any
from models.network import Network
from models.registry import check_finite, with_weights

log = logging.getLogger(__name__)

KIND = "matting-prune-2"
WITHOUT_DIGEST = "matting-prune"
ATOMS = (type(None), bool, int, float, str, bytes)  # of what a file holds beside tensors
PRETRAINED = Path(__file__).resolve().parents[2] / "pretrained"


def record(network: Network) -> dict:
    """All that makes the same network again, on the CPU."""
    weights = {key: value.detach().cpu() for key, value in network.state_dict().items()}
    return {
        "kind": KIND,
        "name": network.name,
        "structure": network.structure,
        "plan": network.plan,
        "weights": weights,
    }


def fingerprint(network: Network) -> str:
    """A text that two networks share if and only if they compute the same."""
    return digest(record(network))


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


def restore(content: dict, path: Path | str) -> Network:
    """The network of a `record`, in evaluation mode; `path` is named when it does not fit."""
    try:
        return with_weights(*(content[key] for key in ("name", "plan", "structure", "weights")))
    except (InputError, LookupError) as error:
        raise InputError(
            f"{path}: its weights do not fit its own description ({error}); copy or train it again"
        ) from error


def save(path: Path | str, content: dict) -> None:
    """Write a `record`, and plain data beside it, as a PyTorch file, atomically.

    Raises:
        InputError: a weight is not finite, the disk is full or the folder cannot be written;
            nothing is left half-written.
    """
    # Serialised in memory first: PyTorch's writer hides a full disk behind a RuntimeError.
    buffer = io.BytesIO()
    torch.save(_with_digest(path, content), buffer)
    _write(path, buffer.getbuffer())


def save_network(path: Path | str, network: Network, half: bool = False) -> None:
    """Write a network alone: safetensors where the name ends so, else a PyTorch file.

    Args:
        half: keep the weights in float16, which halves the file; they are loaded as float32.

    Raises:
        InputError: as of `save`.
    """
    content = record(network)
    if half:
        content["weights"] = {
            key: value.half() if value.is_floating_point() else value
            for key, value in content["weights"].items()
        }
    if Path(path).suffix != ".safetensors":
        save(path, content)
        return
    content = _with_digest(path, content)
    weights = {key: value.contiguous() for key, value in content.pop("weights").items()}
    metadata = {key: json.dumps(value) for key, value in content.items()}
    _write(path, safetensors.torch.save(weights, metadata))


def read(path: Path | str) -> dict | None:
    """The plain content of a file that we wrote, or None where it was written by others.

    Raises:
        InputError: no such file, truncated, damaged, or no checkpoint at all.
    """
    content = _checked(path)
    return content if is_ours(content) else None


def load(name: Path | str) -> Network:
    """A shipped network by its name, or that of a file; in evaluation mode on the CPU.

    Reads what this project writes (networks, training checkpoints, pruned.tar, safetensors) and
    the published checkpoints that `models.published` knows.

    Raises:
        InputError: no such file, truncated, damaged, of another network, or unknown; the message
            names it.
    """
    path = network_path(name)
    content = _checked(path)
    return restore(content, path) if is_ours(content) else published.from_content(content, path)


def shipped_networks() -> dict[str, Path]:
    """The files of the shipped networks, by name."""
    return {path.stem: path for path in sorted(PRETRAINED.glob("*.safetensors"))}


def network_path(name: Path | str) -> Path:
    """The file of a shipped network by its name, or that of a path.

    Raises:
        InputError: neither is there.
    """
    shipped, path = shipped_networks(), Path(name)
    if str(name) not in shipped and not path.exists():
        known = f"shipped are {', '.join(shipped)}" if shipped else "none is shipped"
        raise InputError(f"{name}: no such checkpoint file, and no shipped network; {known}")
    return shipped.get(str(name), path)


def _with_digest(path: Path | str, content: dict) -> dict:
    try:
        check_finite(content["weights"])
    except InputError as error:
        raise InputError(
            f"{path}: {error}, nothing was saved; train it with a lower train.lr, or, if it was to "
            "be halved, save it in float32"
        ) from error
    return {**content, "digest": digest(content)}


def _write(path: Path | str, data: bytes | memoryview) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def _checked(path: Path | str) -> object:
    """What is in a file, compared with its digest where it is one of ours."""
    content = read_any(path)
    if not is_ours(content):
        return content
    if content.get("kind") == WITHOUT_DIGEST:
        log.warning("%s: of an earlier version, without a digest; damage would go unseen", path)
        return content
    expected = content.pop("digest", None)
    try:
        same = expected == digest(content)
    except InputError:  # not what was saved, whatever it is
        same = False
    if not same:
        raise InputError(f"{path}: damaged, it is not what was saved; copy or train it again")
    return content
