r"""Train a teacher, or a student of fixed width under distillation.

    python train.py --config configs/train_SPKD.yaml
    python train.py --batch-size 16 --KD_type spatial,channel \
        --feature_layer [1,2,3,4] --KD_weight [1,1]

The first trains the config's network on the truth alone. The second is SPKD (IEEE SPL 2020): the
config names a teacher, and the student imitates it. Writes BEST_checkpoint.tar, the best by
validation alpha loss, into result/<save_dir>; --resume continues from checkpoint.tar there.
"""

import argparse
from pathlib import Path

import torch

from utils import config as configs
from utils.command import main
from utils.data.sources import Sources
from utils.device import choose
from utils.figures.samples import write_samples
from utils.train.assemble import assemble, fresh_network, frozen_teacher
from utils.train.loop import fit


def train() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    configs.add_arguments(parser, "student_SPKD.yaml")
    parser.add_argument("--resume", action="store_true", help="continue where it was stopped")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="draw a sheet of training samples, train nothing"
    )
    seeds = parser.add_argument_group("the flags of SPKD's release")
    seeds.add_argument("--batch-size", metavar="N", help="train.batch_size=N")
    seeds.add_argument("--KD_type", metavar="A,B", help="distill.types=[A,B]")
    seeds.add_argument("--feature_layer", metavar="[I,J]", help="encoder stages, counted from 0")
    seeds.add_argument("--KD_weight", metavar="[X,Y]", help="distill.weights=[X,Y]")
    arguments = parser.parse_intermixed_args()
    config = configs.load(arguments.config, [*configs.spkd_flags(arguments), *arguments.overrides])

    if arguments.sheet:
        write_samples(arguments.sheet, Sources(config))
        print(f"{arguments.sheet}: what the network will see")
        return
    torch.manual_seed(config.seed)
    teacher = frozen_teacher(config, choose(config.device)) if config.teacher else None
    network = fresh_network(config, arguments.resume)
    task = assemble(
        config, "train", network, teacher, last="checkpoint.tar", best="BEST_checkpoint.tar"
    )
    fit(task, arguments.resume)
    print(f"the best network is {task.best}")


if __name__ == "__main__":
    main(train)
