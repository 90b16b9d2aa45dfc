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
from models.registry import checked, restructured
from utils.cli.problems import config_command
from utils.config.options import Config
from utils.networks.cost import parameters
from utils.networks.device import choose

log = logging.getLogger(__name__)


def network_class(config: Config) -> type[Network]:
    """The class of the network that train.py trains; raises as `new_network` does."""
    options = config.network
    if options.start:
        return type(models.load(options.start))
    return checked(options.name, options.structure)


def new_network(config: Config, resume: bool) -> Network:
    """The network that train.py trains: newly initialised by the config's seed, or that of a file.

    One that will be resumed takes its weights from the checkpoint, so nothing is downloaded for it.

    Raises:
        InputError: no such file, another network in it, or one that cannot be built.
    """
    options = config.network
    if options.start:
        network = models.load(options.start)
        if "name" in options.model_fields_set and options.name != network.name:
            raise InputError(
                f"network.start: {options.start} holds a {network.name}, not a {options.name}; "
                "name another file, or leave out network.name"
            )
        set_seed(config)  # what is made beside it draws, too
        return restructured(network, **options.structure) if options.structure else network
    plan = models.scaled_plan(options.name, options.width, **options.structure)
    set_seed(config)
    network = models.build(options.name, plan, **options.structure)
    if options.pretrained and not resume:
        load_encoder(network, options.pretrained)
    return network


def set_seed(config: Config) -> None:
    """Right before the network that is trained is made, which is then the same by any method."""
    torch.manual_seed(config.seed)


def open_teacher(config: Config) -> Network:
    """The teacher of a config: in evaluation mode, without gradients, on the config's device.

    Raises:
        InputError: it is not there, or cannot be used.
    """
    path = _teacher_path(config)
    if not path.is_file():
        own = path.parent == config.folder
        command = config_command("train.py", config) if own else "train.py and its config"
        raise InputError(f"{path}: no teacher there; train one with {command}, or set teacher=FILE")
    teacher = models.load(path).requires_grad_(False)
    layout = torch.channels_last if config.train.channels_last else torch.contiguous_format
    log.info("teacher: %s, %s parameters", path, f"{parameters(teacher):,}")
    return teacher.to(choose(config.device), memory_format=layout)


def open_pruned(config: Config) -> tuple[Network, dict[str, str]]:
    """The cut network of a config, and its origin for a `Run`: what tells this one from others.

    Raises:
        InputError: it is not there, or cannot be used.
    """
    path = config.folder / "pruned.tar"
    if not path.is_file():
        raise InputError(
            f"{path}: nothing pruned yet; run {config_command('train_prune.py', config)} first"
        )
    network = models.load(path)
    return network, {path.name: files.fingerprint(network)}


def common_task(networks: Mapping[str, Network]) -> str:
    """The task that all of the networks are for.

    Raises:
        InputError: they are for different ones.
    """
    (first, one), *others = networks.items()
    for label, network in others:
        if network.task != one.task:
            raise InputError(
                f"{label} is for {network.task}, but {first} for {one.task}; test them one after "
                "the other"
            )
    return one.task


def trained_networks(config: Config) -> dict[str, str]:
    """What the config's scripts have left, `{label: file}`: the teacher and the pruned network.

    Raises:
        InputError: neither exists yet, or the network was not trained from the pruned.tar there.
    """
    student, pruned = (config.folder / f"BEST_{kind}.tar" for kind in ("checkpoint", "pruned"))
    teacher = _teacher_path(config)
    paths = {"teacher": teacher, "student": student, "pruned": pruned}
    if teacher == student:
        del paths["student"]
    networks = {label: str(path) for label, path in paths.items() if path.is_file()}
    if not networks:
        raise InputError(
            f"{config.folder}: neither {student.name} nor {pruned.name}; train first, with "
            f"{config_command('train.py', config)}, or name a network with --network"
        )
    if "pruned" in networks and (config.folder / "pruned.tar").is_file():
        _check_origin(pruned, config)
    return networks


def _check_origin(path: Path, config: Config) -> None:
    content = files.read(path) or {}
    pruned, origin = open_pruned(config)
    metadata = content.get("training", {}).get("content")
    known = isinstance(metadata, dict)  # an earlier version wrote none
    if content.get("plan") != pruned.plan or (known and not metadata.items() >= origin.items()):
        raise InputError(
            f"{path}: was not trained from the pruned.tar beside it, which is another network; run "
            f"{config_command('train_pruned.py', config, '--overwrite')}, or name what to score "
            "with --network"
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


def _teacher_path(config: Config) -> Path:
    return files.shipped_networks().get(str(config.teacher_path), config.teacher_path)
