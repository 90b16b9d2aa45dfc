"""Put a training together from a config: the part that every training script shares."""

import logging

import torch

import models
from models import Network
from models.errors import InputError
from models.imagenet import load_encoder
from utils.config import Config
from utils.data.loader import training_loader, validation_loader
from utils.prune.sparsity import Sparsity
from utils.report.cost import parameters
from utils.train.device import choose
from utils.train.loop import Task
from utils.train.objective import Objective, check_stages

log = logging.getLogger(__name__)


def fresh_network(config: Config) -> Network:
    """The network of the config's `network` section, newly initialised."""
    options = config.network
    plan = models.scaled_plan(options.name, options.width, convolutions=options.convolutions)
    network = models.build(options.name, plan, convolutions=options.convolutions)
    if options.pretrained == "imagenet":
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
    if teacher is not None:
        check_stages(network, config.distill.stages)
    pin = device.type == "cuda"
    training = training_loader(config, options.batch_size, options.epochs, pin)
    log.info(
        f"{script}: {parameters(network):,} parameters, {options.epochs} epochs of "
        f"{training.batch_sampler.per_epoch} steps, on {device}"
    )
    return Task(
        network=network,
        objective=Objective(network, config.loss, config.distill, teacher),
        training=training,
        validation=validation_loader(config, options.batch_size, pin),
        options=options,
        config=config,
        device=device,
        last=config.folder / last,
        best=config.folder / best if best else None,
        sparsity=sparsity,
    )
