"""Training checkpoints: the network's record with all that continues the training exactly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from pydantic import ValidationError

from models import Network, files
from models.errors import InputError
from utils.options import Config, TrainConfig

# What a resumed training may change; all else decides its samples or its loss.
MAY_CHANGE = (
    "save_dir",
    "device",
    "network",
    "train",
    "train_prune",
    "train_pruned",
    "data.root",
    "data.workers",
    "data.cache_mb",
    "data.valid_backgrounds",
    "prune.rate",
    "prune.ties",
    "prune.min_channels",
    "prune.round_to",
    "prune.weights",
)


class Stateful(Protocol):
    """What continues with its state: optimiser, scaler, average, distillation."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> object: ...


State = Mapping[str, Stateful]


def save(
    path: Path, network: Network, config: Config, options: TrainConfig, found: Mapping[str, object]
) -> None:
    """Save a network with the config that it was trained with, and plain data `found` on the way.

    They stand under `training` in the file.
    """
    training = {
        **found,
        "config": config.model_dump(exclude_unset=True),
        "batch_size": options.batch_size,
    }
    files.save(path, files.record(network) | {"training": training})


def save_training(
    path: Path,
    network: Network,
    config: Config,
    options: TrainConfig,
    state: State,
    step: int,
    best: float,
) -> None:
    """Save all that continues a training exactly: it has done `step` steps, `best` is its score."""
    found = {name: part.state_dict() for name, part in state.items()}
    found |= {"random_state": torch.get_rng_state(), "step": step, "best": best}
    save(path, network, config, options, found)


def resume(
    path: Path, network: Network, config: Config, options: TrainConfig, state: State, total: int
) -> tuple[int, float]:
    """Continue what `save_training` saved: load weights and `state`; returns step and best score.

    Args:
        total: the steps of this training.

    Raises:
        InputError: no such checkpoint, not one of a training, of another network, of a training
            with other samples or another loss, or one that is further than `total`.
    """
    content = files.read(path)
    training = content.get("training", {}) if content else {}
    if "optimizer" not in training:
        raise InputError(f"{path}: holds no interrupted training; start without --resume")
    for key in ("name", "structure", "plan"):
        if content[key] != getattr(network, key):
            raise InputError(
                f"{path}: its network has another {key} than this run's; "
                "start without --resume, or restore the config it was trained with"
            )
    _check_config(path, training, config, options)
    if training["step"] > total:
        raise InputError(
            f"{path}: has done {training['step']} steps, more than the {total} of train.epochs; "
            "raise it, or start without --resume"
        )
    network.load_state_dict(content["weights"])
    for name, part in state.items():
        if training[name]:  # a scaler's is empty unless it was trained in float16
            part.load_state_dict(training[name])
    torch.set_rng_state(training["random_state"])
    return training["step"], training["best"]


def _check_config(path: Path, training: dict, config: Config, options: TrainConfig) -> None:
    try:
        before = _flat(Config.model_validate(training["config"]).model_dump())
    except ValidationError:
        raise InputError(
            f"{path}: saved by another version of Matting Prune, with other options; start without "
            "--resume"
        ) from None
    before["train.batch_size"] = training["batch_size"]
    now = _flat(config.model_dump()) | {"train.batch_size": options.batch_size}
    for key, value in now.items():
        if before[key] != value:
            raise InputError(
                f"{path}: {key} was {before[key]} and is now {value}; --resume continues the same "
                "training, so restore it, or start without --resume"
            )


def _flat(content: dict, prefix: str = "") -> dict[str, object]:
    """`{section.key: value}` of all that must stay."""
    found = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if name in MAY_CHANGE:
            continue
        found |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found
