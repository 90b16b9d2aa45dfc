"""Training stage: train the cut network under the same distillation.

    python train_pruned.py --config configs/train_SPKD.yaml

Takes the widths of result/<save_dir>/pruned.tar and starts from fresh weights (`prune.weights:
scratch`, as published) or from those that were not cut (`inherit`). Writes BEST_pruned.tar, the
best by validation alpha loss, beside it; --resume continues from checkpoint_pruned.tar there.
"""

import argparse

import torch

import models
from models.errors import InputError
from utils import config as configs
from utils.command import main
from utils.device import choose
from utils.train.assemble import assemble, frozen_teacher
from utils.train.loop import fit


def train_pruned() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    configs.add_arguments(parser, "train_SPKD.yaml")
    parser.add_argument("--resume", action="store_true", help="continue where it was stopped")
    arguments = parser.parse_intermixed_args()
    config = configs.load(arguments.config, arguments.overrides)

    torch.manual_seed(config.seed)
    teacher = frozen_teacher(config, choose(config.device))
    pruned = config.folder / "pruned.tar"
    if not pruned.is_file():
        raise InputError(f"{pruned}: nothing pruned yet; run train_prune.py with this config first")
    network = models.load(pruned)
    if config.prune.weights == "scratch":
        network = models.build(network.name, network.plan, **network.structure)
    task = assemble(
        config,
        "train_pruned",
        network,
        teacher,
        last="checkpoint_pruned.tar",
        best="BEST_pruned.tar",
    )
    fit(task, arguments.resume)
    print(f"the best network is {task.best}")


if __name__ == "__main__":
    main(train_pruned)
