"""Training checkpoints: the network's record with all that continues the training exactly."""

from pathlib import Path

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


def save(
    path: Path, network: Network, config: Config, options: TrainConfig, **training: object
) -> None:
    """Save the network and, under `training`, its config and plain data such as optimiser state."""
    training["config"] = config.model_dump(exclude_unset=True)
    training["batch_size"] = options.batch_size
    files.save(path, files.record(network) | {"training": training})


def resume(path: Path, network: Network, config: Config, options: TrainConfig) -> dict:
    """Load a checkpoint's weights into `network`; returns what was saved under `training`.

    Raises:
        InputError: no such checkpoint, not one of a training, of another network, or of a training
            with other samples or another loss.
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
    network.load_state_dict(content["weights"])
    return training


def _flat(content: dict, prefix: str = "") -> dict[str, object]:
    """`{section.key: value}` of all that must stay."""
    found = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if name in MAY_CHANGE:
            continue
        found |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found
