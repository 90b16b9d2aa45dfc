"""Put a training together from a config: the part that every training script shares."""

import logging

import torch

import models
from models import Network
from models.errors import InputError
from models.imagenet import load_encoder
from utils.cost import parameters
from utils.data.loader import training_loader, validation_loader
from utils.data.sources import Sources
from utils.device import choose
from utils.options import Config
from utils.prune.sparsity import Sparsity
from utils.train.loop import Task
from utils.train.objective import Objective, stage_widths

log = logging.getLogger(__name__)


def fresh_network(config: Config, resume: bool) -> Network:
    """The network of the config's `network` section, newly initialised.

    One that will be resumed takes its weights from the checkpoint, so nothing is downloaded for it.
    """
    options = config.network
    plan = models.scaled_plan(options.name, options.width, convolutions=options.convolutions)
    network = models.build(options.name, plan, convolutions=options.convolutions)
    if options.pretrained == "imagenet" and not resume:
        load_encoder(network)
    return network


def frozen_teacher(config: Config, device: torch.device) -> Network:
    """The teacher's file as a network in evaluation mode, without gradients, on the device."""
    path = config.teacher_path
    if not path.is_file():
        raise InputError(f"{path}: no teacher there; train one with train.py, or set teacher=FILE")
    teacher = models.load(path).requires_grad_(False)
    layout = torch.channels_last if config.train.channels_last else torch.contiguous_format
    log.info(f"teacher: {path}, {parameters(teacher):,} parameters")
    return teacher.to(device, memory_format=layout)


def assemble(
    config: Config,
    script: str,
    network: Network,
    teacher: Network | None = None,
    *,
    last: str,
    best: str | None = None,
    sparsity: Sparsity | None = None,
) -> Task:
    """The task of a script: its data, its objective, its options and its files."""
    options = config.loop(script)
    device = choose(config.device)
    files = {name: config.folder / name for name in (last, best) if name}
    if teacher is not None:
        stage_widths(network, config.distill.stages)
    for path in files.values():
        if config.teacher and path.resolve() == config.teacher_path.resolve():
            raise InputError(f"teacher: {path} would be overwritten; choose another save_dir")
    pin = device.type == "cuda"
    sources = Sources(config)
    training = training_loader(sources, options.batch_size, options.epochs, pin)
    log.info(
        f"{script}: {parameters(network):,} parameters, {options.epochs} epochs of "
        f"{training.batch_sampler.per_epoch} steps, on {device}"
    )
    return Task(
        network=network,
        objective=Objective(network, config.loss, config.distill, teacher),
        training=training,
        validation=validation_loader(sources, options.batch_size, pin),
        options=options,
        config=config,
        device=device,
        last=files[last],
        best=files.get(best),
        sparsity=sparsity,
    )
