"""Which networks a command line means: shipped names, files, or what a config has trained."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch

import models
from models import Network
from models.errors import InputError
from models.files import saving as files
from models.files.imagenet import load_encoder
from models.files.saving import fingerprint
from models.registry import checked
from models.restructure import restructured
from utils import config as configs
from utils.cli.advice import with_config
from utils.cli.arguments import CONFIGS
from utils.config.options import Config
from utils.networks.cost import parameters
from utils.networks.device import choose

log = logging.getLogger(__name__)

OF_THE_PLACE = ("data.root=", "data.dataset=", "data.backgrounds=", "device=")  # not of a network
PRETRAINED = Path(__file__).resolve().parents[2] / "pretrained"


def open_network(name: str) -> Network:
    """A shipped network by its name, or the network of a file, in evaluation mode.

    Raises:
        InputError: neither is there, or the file cannot be used.
    """
    shipped = {path.stem: path for path in sorted(PRETRAINED.glob("*.safetensors"))}
    if name in shipped:
        return models.load(shipped[name])
    if not Path(name).is_file():
        known = f"shipped are {', '.join(shipped)}" if shipped else "none is shipped"
        raise InputError(f"{name}: no such checkpoint file, and no shipped network; {known}")
    return models.load(name)


def network_class(config: Config) -> type[Network]:
    """The class of the network that train.py trains.

    Raises:
        InputError: no such file, or a network that cannot be built.
    """
    wanted = config.network
    if wanted.start:
        return type(open_network(wanted.start))
    return checked(wanted.name, wanted.structure)


def new_network(config: Config, resume: bool) -> Network:
    """The network that train.py trains: newly initialised by the config's seed, or that of a file.

    One that will be resumed takes its weights from the checkpoint, so nothing is downloaded for it.

    Raises:
        InputError: no such file, another network in it, or one that cannot be built.
    """
    wanted = config.network
    if wanted.start:
        network = open_network(wanted.start)
        if "name" in wanted.model_fields_set and wanted.name != network.name:
            raise InputError(
                f"network.start: {wanted.start} holds a {network.name}, not a {wanted.name}; name "
                "another file, or leave out network.name"
            )
        set_seed(config)  # what is made beside it draws, too
        return restructured(network, **wanted.structure) if wanted.structure else network
    plan = models.scaled_plan(wanted.name, wanted.width, **wanted.structure)
    set_seed(config)
    network = models.build(wanted.name, plan, **wanted.structure)
    if wanted.pretrained and not resume:
        load_encoder(network, wanted.pretrained)
    return network


def set_seed(config: Config) -> None:
    """Called right before the network that is trained is made, which is then the same by any
    method, and before what is trained beside it."""
    torch.manual_seed(config.seed)


def open_teacher(config: Config) -> Network:
    """The teacher of a config: in evaluation mode, without gradients, on the config's device.

    Raises:
        InputError: it is not there, or cannot be used.
    """
    path = config.teacher_path
    if not path.is_file():
        raise InputError(
            f"{path}: no teacher there; train one with {_training(path, config)}, or set "
            "teacher=FILE"
        )
    teacher = models.load(path).requires_grad_(False)
    layout = torch.channels_last if config.train.channels_last else torch.contiguous_format
    log.info("teacher: %s, %s parameters", path, f"{parameters(teacher):,}")
    return teacher.to(choose(config.device), memory_format=layout)


def open_pruned(config: Config) -> tuple[Network, dict[str, str]]:
    """The cut network of a config, and its origin for `fit`: what tells this one from others.

    Raises:
        InputError: it is not there, or cannot be used.
    """
    path = config.folder / "pruned.tar"
    if not path.is_file():
        raise InputError(
            f"{path}: nothing pruned yet; run {with_config('train_prune.py', config)} first"
        )
    network = models.load(path)
    return network, {path.name: fingerprint(network)}


def common_task(networks: Mapping[str, Network]) -> str:
    """The task that all of the networks are for.

    Raises:
        InputError: they are for different ones.
    """
    first, *others = networks.items()
    for label, network in others:
        if network.task != first[1].task:
            raise InputError(
                f"{label} is for {network.task}, but {first[0]} for {first[1].task}; test them one "
                "after the other"
            )
    return first[1].task


def trained_networks(config: Config) -> dict[str, str]:
    """What the config's scripts have left, `{label: file}`: the teacher and the pruned network.

    Raises:
        InputError: neither exists yet, or the network was not trained from the pruned.tar there.
    """
    candidates = {
        "teacher": config.teacher_path,
        "student": config.folder / "BEST_checkpoint.tar",
        "pruned": config.folder / "BEST_pruned.tar",
    }
    found = {label: str(path) for label, path in candidates.items() if path.is_file()}
    if candidates["student"] == candidates["teacher"]:
        found.pop("student", None)
    if not found:
        raise InputError(
            f"{config.folder}: neither BEST_checkpoint.tar nor BEST_pruned.tar; train first, with "
            f"{with_config('train.py', config)}, or name a network with --network"
        )
    if "pruned" in found and (config.folder / "pruned.tar").is_file():
        _check_fresh(candidates["pruned"], config)
    return found


def _check_fresh(path: Path, config: Config) -> None:
    content = files.read(path) or {}
    pruned, origin = open_pruned(config)
    noted = content.get("training", {}).get("content")
    known = isinstance(noted, dict)  # an earlier version noted nothing
    if content.get("plan") != pruned.plan or (known and not noted.items() >= origin.items()):
        raise InputError(
            f"{path}: was not trained from the pruned.tar beside it, which is another network; run "
            f"{with_config('train_pruned.py', config, '--overwrite')}, or name what to score with "
            "--network"
        )


def named_networks(names: list[str]) -> dict[str, str]:
    """`{label: name or file}` of what a command line names; a file's label is folder-stem.

    Raises:
        InputError: two would have the same label, and so the same place for their mattes.
    """
    labels: dict[str, str] = {}
    for name in names:
        path = Path(name)
        label = f"{path.parent.name}-{path.stem}" if path.parent.name else path.stem
        if label in labels:
            raise InputError(f"{name} and {labels[label]} are both called {label}; rename one")
        labels[label] = name
    return labels


def _training(path: Path, config: Config) -> str:
    """The command that trains a config's teacher `path`: by itself, or by one of our configs."""
    if path.parent == config.folder:
        return with_config("train.py", config)
    same = [word for word in config.words if word.startswith(OF_THE_PLACE)]
    for file in sorted(CONFIGS.glob("*.yaml")):
        other = configs.load(file, same)
        if other.folder == path.parent:
            return with_config("train.py", other)
    return "python train.py and the config of this save_dir"
