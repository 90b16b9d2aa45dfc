"""The files of a training: its own alone, saved whole, and all that continues it exactly."""

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from models.files import saving as files
from utils import distributed
from utils.cli.files import folder_lock
from utils.config.options import Config
from utils.train.optimizer import restore_optimizer
from utils.train.resume_check import Identity, check_same

log = logging.getLogger(__name__)


@contextmanager
def run_lock(
    config: Config, names: Sequence[str], *, resume: bool = False, overwrite: bool = False
) -> Iterator[bool]:
    """Inside, `names` in `config.folder` are this training's to write; checked before any work.

    Args:
        names: the checkpoint to resume from first.
        resume: a training that is there goes on.
        overwrite: a training that is there is lost.

    Yields:
        `resume`; also True where torchrun started a training again that has saved a checkpoint.

    Raises:
        InputError: one of them is read, too, or is there already; another process trains there.
    """
    paths = [config.folder / name for name in names]
    reads = {"teacher": config.teacher}
    reads |= {f"network.{key}": getattr(config.network, key) for key in ("start", "pretrained")}
    for key, read in reads.items():
        if read and Path(read).resolve() in [path.resolve() for path in paths]:
            raise InputError(f"{key}: {read} would be overwritten; choose another save_dir")
    if distributed.rank():
        yield distributed.from_first()
        return
    attempt, last = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)), paths[0]
    # The first attempt notes what was there before, so that the next ones know their own; one that
    # was refused notes nothing and stays refused.
    note = last.with_name(f".{last.name}.before")
    with folder_lock(config.folder, "training"):
        if again := attempt > 0 and note.exists():
            resume, overwrite = resume or _stamp(last) != note.read_text(), True
        else:
            note.unlink(missing_ok=True)
        there = next((path for path in paths if path.exists()), None)
        if there and not (resume or overwrite):
            raise InputError(
                f"{there}: is there already; go on with --resume, begin anew with --overwrite, or "
                "choose another save_dir"
            )
        if not again and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
            note.write_text(_stamp(last))
        yield distributed.from_first(resume)
        note.unlink(missing_ok=True)


def _stamp(path: Path) -> str:
    return str(path.stat().st_mtime_ns) if path.exists() else ""


State = Mapping[str, Any]  # optimiser, scaler, average, distillation: with a `state_dict`
PROGRESS = ("step", "best", "due", "rate")  # what a file calls the fields of `Progress`


class Progress(NamedTuple):
    """How far a training is."""

    step: int = 0
    best: float = math.inf  # validation score
    pending: bool = False  # the validation after `step` is still to be done
    rate: float = 0.0  # learning rate of the last step


def save(path: Path, network: Network, config: Config, training: Mapping[str, object]) -> None:
    """Save a network, and in the entry `training` its config and plain data."""
    if distributed.rank():
        return
    training = {**training, "config": config.model_dump(exclude_unset=True)}
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
    training = {name: part.state_dict() for name, part in state.items()}
    random_state, *others = distributed.gathered_objects(_random_state())
    training |= {
        **identity,
        "random_state": random_state,
        **({"random_states_of_others": others} if others else {}),
        **dict(zip(PROGRESS, progress, strict=True)),
    }
    save(path, network, config, training | {"threads": torch.get_num_threads()})


def resume(path: Path, network: Network, identity: Identity, state: State, total: int) -> Progress:
    """Continue what `save_training` saved: load weights and `state`; returns how far it was.

    Args:
        total: the steps of this training.

    Raises:
        InputError: no such checkpoint, not one of a training, of another network, of another
            training, or one that is further than `total`.
    """
    if not path.exists():
        raise InputError(f"{path}: no training there to go on with; begin one without --resume")
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
    if training.keys() >= identity.keys():
        check_same(path, training, identity)
    if not training.keys() >= {*identity, *state, *PROGRESS, "random_state", "threads"}:
        raise InputError(
            f"{path}: saved by another version of Matting Prune; begin anew with --overwrite"
        )
    if training["step"] > total:
        raise InputError(
            f"{path}: has done {training['step']} steps, more than the {total} of train.epochs; "
            "raise it, or begin anew with --overwrite"
        )
    network.load_state_dict(content["weights"])
    for name, part in state.items():
        if name == "optimizer":
            restore_optimizer(part, training[name])
        elif name != "scaler" or training[name]:  # empty unless it was trained in float16
            part.load_state_dict(training[name])
    states = [training["random_state"], *training.get("random_states_of_others", ())]
    if distributed.rank() < len(states):
        _set_random_state(states[distributed.rank()])
    if (threads := training["threads"]) != torch.get_num_threads():
        log.info("goes on with %d threads, as before, for the same numbers", threads)
        torch.set_num_threads(threads)  # another number of them sums in another order
    return Progress(*(training[name] for name in PROGRESS))


def _random_state() -> list[Tensor]:
    """Of the CPU, then of each CUDA device if they are used."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *devices]


def _set_random_state(states: list[Tensor]) -> None:
    first, *devices = states
    torch.set_rng_state(first)
    for index, state in enumerate(devices[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
