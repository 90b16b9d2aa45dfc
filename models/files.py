"""Save and load networks as plain data: name, structure, plan and weights, never code."""

import io
import json
import pickle
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from models import plain_pickle, published
from models.atomic import atomic
from models.errors import InputError
from models.network import Network
from models.registry import blank

KIND = "matting-prune"


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


def restore(content: dict, path: Path | str) -> Network:
    """The network of a `record`, in evaluation mode; `path` is named when it does not fit."""
    try:
        network = blank(content["name"], content["plan"], **content["structure"])
        network.load_state_dict(content["weights"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: its weights do not fit its own description ({reason})"
        ) from error
    return network.eval()


def save(path: Path | str, content: dict) -> None:
    """Write plain data (tensors, numbers, strings, lists, dicts) as a PyTorch file, atomically.

    Raises:
        InputError: the disk is full or the folder cannot be written; nothing is left half-written.
    """
    # Serialised in memory first: PyTorch's writer hides a full disk behind a RuntimeError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def save_network(path: Path | str, network: Network, half: bool = False) -> None:
    """Write a network alone: safetensors where the name ends so, else a PyTorch file.

    Args:
        half: keep the weights in float16, which halves the file; they are loaded as float32.
    """
    content = record(network)
    if half:
        content["weights"] = {key: _halved(value) for key, value in content["weights"].items()}
    if Path(path).suffix != ".safetensors":
        save(path, content)
        return
    weights = {key: value.contiguous() for key, value in content.pop("weights").items()}
    with atomic(path) as temporary:
        metadata = {key: json.dumps(value) for key, value in content.items()}
        temporary.write_bytes(safetensors.torch.save(weights, metadata))


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def read(path: Path | str) -> dict | None:
    """The plain content of a file that we wrote, or None where it was written by others.

    Raises:
        InputError: no such file, truncated, or no checkpoint at all.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a checkpoint in it")
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; train one, or give the path of yours")
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        if plain_pickle.is_program(path):
            return None  # the strict reader refuses it by name
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "weights only" in str(error).lower():
            return None  # it pickles classes: a published checkpoint, for the strict reader
        raise _unreadable(path) from error
    except plain_pickle.DAMAGE as error:
        raise _unreadable(path) from error
    return content if isinstance(content, dict) and content.get("kind") == KIND else None


def load(path: Path | str) -> Network:
    """The network in a file, in evaluation mode on the CPU.

    Reads what this project writes (networks, training checkpoints, pruned.tar, safetensors) and
    the published checkpoints that `models.published` knows.

    Raises:
        InputError: no such file, truncated, of another network, or unknown; the message names it.
    """
    content = read(path)
    return published.load(path) if content is None else restore(content, path)


def _read_safetensors(path: Path) -> dict | None:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _unreadable(path) from error
    if "kind" not in metadata:
        raise InputError(
            f"{path}: no description of its network in it; give a file of this project"
        )
    return {**{key: json.loads(value) for key, value in metadata.items()}, "weights": weights}


def _unreadable(path: Path) -> InputError:
    return InputError(f"{path}: truncated, or no checkpoint; copy or train it again")
