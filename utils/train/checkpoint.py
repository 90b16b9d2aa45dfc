"""Training checkpoints: the network's record with all that continues the training exactly."""

from pathlib import Path

from models import Network, files
from models.errors import InputError


def save(path: Path, network: Network, **training: object) -> None:
    """Save the network and, under `training`, plain data such as optimiser state."""
    files.save(path, files.record(network) | {"training": training})


def resume(path: Path, network: Network) -> dict:
    """Load a checkpoint's weights into `network`; returns what was saved under `training`.

    Raises:
        InputError: no such checkpoint, not one of a training, or of another network.
    """
    content = files.read(path)
    if content is None or "optimizer" not in content.get("training", {}):
        raise InputError(f"{path}: holds no interrupted training; start without --resume")
    for key in ("name", "structure", "plan"):
        if content[key] != getattr(network, key):
            raise InputError(
                f"{path}: its network has another {key} than this run's; "
                "start without --resume, or restore the config it was trained with"
            )
    network.load_state_dict(content["weights"])
    return content["training"]
