"""Training checkpoints: the network's record with all that continues the training exactly."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from models.files import saving as files
from utils.config.options import Config
from utils.train.identity import Identity, check_same
from utils.train.optimizer import restore_optimizer

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """What continues with its state: optimiser, scaler, average, distillation."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> object: ...


State = Mapping[str, Stateful]


class Progress(NamedTuple):
    """How far a training is.

    `due` says that the validation after `step` is still to be done; `rate` is the learning rate of
    the last step.
    """

    step: int = 0
    best: float = math.inf
    due: bool = False
    rate: float = 0.0


def save(path: Path, network: Network, config: Config, found: Mapping[str, object]) -> None:
    """Save a network with the config that it was trained with, and plain data `found` on the way.

    They stand under `training` in the file.
    """
    training = {**found, "config": config.model_dump(exclude_unset=True)}
    files.save(path, files.record(network) | {"training": training})


def save_training(
    path: Path,
    network: Network,
    config: Config,
    identity: Identity,
    state: State,
    progress: Progress,
) -> None:
    """Save all that continues a training exactly."""
    found = {name: part.state_dict() for name, part in state.items()}
    found |= {**identity, "random_state": _random_state(), **progress._asdict()}
    found["threads"] = torch.get_num_threads()
    save(path, network, config, found)


def resume(path: Path, network: Network, identity: Identity, state: State, total: int) -> Progress:
    """Continue what `save_training` saved: load weights and `state`; returns how far it was.

    Args:
        total: the steps of this training.

    Raises:
        InputError: no such checkpoint, not one of a training, of another network, of another
            training, or one that is further than `total`.
    """
    content = files.read(path)
    training = content.get("training", {}) if content else {}
    if "optimizer" not in training:
        raise InputError(f"{path}: holds no interrupted training; begin anew with --overwrite")
    for key in ("name", "structure", "plan"):
        if content[key] != getattr(network, key):
            raise InputError(
                f"{path}: its network has another {key} than this run's; "
                "begin anew with --overwrite, or restore the config it was trained with"
            )
    if not training.keys() >= identity.keys():
        raise InputError(
            f"{path}: saved by another version of Matting Prune; begin anew with --overwrite"
        )
    _require_record(path, training)
    check_same(path, training, identity)
    if training["step"] > total:
        raise InputError(
            f"{path}: has done {training['step']} steps, more than the {total} of train.epochs; "
            "raise it, or begin anew with --overwrite"
        )
    network.load_state_dict(content["weights"])
    with _malformed(path):
        for name, part in state.items():
            if name == "optimizer":
                restore_optimizer(part, training[name])
            elif training[name]:  # a scaler's is empty unless it was trained in float16
                part.load_state_dict(training[name])
        _set_random_state(training["random_state"])
    _set_threads(training["threads"])
    return Progress(*(training[name] for name in Progress._fields))


def _require_record(path: Path, training: Mapping[str, object]) -> None:
    """Raise an `InputError` where what `save_training` writes beside states is of another kind."""
    kinds = {"options": dict, "content": dict, "random_state": list, "optimizer": dict}
    kinds |= {"step": int, "threads": int, "best": float, "due": bool, "rate": float}
    with _malformed(path):
        for key, kind in kinds.items():
            if type(training[key]) is not kind:
                raise TypeError(f"{key} is no {kind.__name__}")
        if training["step"] < 0 or not 1 <= training["threads"] <= 1024:
            raise ValueError("step or threads is out of range")
        if math.isnan(training["best"]) or not math.isfinite(training["rate"]):
            raise ValueError("best or rate is not finite")


@contextmanager
def _malformed(path: Path) -> Iterator[None]:
    """Inside, a part that is missing, or none of this training's, is bad input."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, KeyError):
            error = f"no {error}"
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{path}: its record of the training is malformed ({reason}); begin anew with "
            "--overwrite"
        ) from None


def _set_threads(count: int) -> None:
    """Go on with the threads of before: another number of them sums in another order."""
    if count != torch.get_num_threads():
        log.info("goes on with %d threads, as before, for the same numbers", count)
        torch.set_num_threads(count)


def _random_state() -> list[Tensor]:
    """Of the CPU, then of each CUDA device if they are used."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *devices]


def _set_random_state(states: list[Tensor]) -> None:
    first, *devices = states
    torch.set_rng_state(first)
    for index, state in enumerate(devices[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
