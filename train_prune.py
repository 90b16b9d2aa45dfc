"""Pruning stage: learn under distillation which channels matter, then cut the others.

    python train_prune.py --config configs/train_SPKD.yaml

A new network of the teacher's architecture learns from the truth and the teacher while a penalty
pulls its gates (BatchNorm scales) towards zero; then the channels of the smallest gates are cut.
Writes pruned.tar into result/<save_dir>; --resume continues from checkpoint_prune.tar there.
"""

import argparse

import torch

import models
from models import files
from utils import config as configs
from utils.command import main
from utils.cost import macs, parameters
from utils.device import choose
from utils.prune import Sparsity, cut, open_gates, scores, select
from utils.table import table
from utils.train.assemble import assemble, frozen_teacher
from utils.train.loop import fit


def train_prune() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    configs.add_arguments(parser, "train_SPKD.yaml")
    parser.add_argument("--resume", action="store_true", help="continue where it was stopped")
    arguments = parser.parse_intermixed_args()
    config = configs.load(arguments.config, arguments.overrides)
    options = config.prune

    torch.manual_seed(config.seed)
    teacher = frozen_teacher(config, choose(config.device))
    network = models.build(teacher.name, teacher.plan, **teacher.structure)
    open_gates(network)
    sparsity = Sparsity(network, options.sparsity, options.encoder_factor)
    task = assemble(
        config, "train_prune", network, teacher, last="checkpoint_prune.tar", sparsity=sparsity
    )
    fit(task, arguments.resume)

    keep = select(
        network,
        options.rate,
        ties=options.ties,
        min_channels=options.min_channels,
        round_to=options.round_to,
    )
    small = cut(network.eval(), keep)
    ranked = {group: score.cpu() for group, score in scores(network).items()}
    path = config.folder / "pruned.tar"
    files.save(path, files.record(small) | {"keep": keep, "scores": ranked})

    widths = [(g, width, small.plan[g]) for g, width in network.plan.items()]
    print(table(("group", "before", "after"), widths))
    costs = [
        (name, f"{parameters(n):,}", f"{macs(n, 224, 224) / 1e9:.2f} G")
        for name, n in (("teacher", teacher), ("pruned", small))
    ]
    print(table(("network", "parameters", "MACs at 224"), costs))
    print(f"the cut network is {path}")


if __name__ == "__main__":
    main(train_prune)
