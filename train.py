r"""Train a teacher, or a student of fixed width under distillation.

    python train.py --config configs/train_SPKD.yaml
    python train.py --batch-size 16 --KD_type spatial,channel \
        --feature_layer [1,2,3,4] --KD_weight [1,1]

The first trains the config's network on the truth alone. The second is SPKD (IEEE SPL 2020): the
config names a teacher, and the student imitates it,

    L = alpha A(s, truth) + alpha_teacher A(s, teacher) + kd sum of KD(stages of s, of the teacher)

Writes BEST_checkpoint.tar, the best by validation, into result/<save_dir>; --resume continues from
checkpoint.tar there, --overwrite begins anew.
"""

from collections.abc import Sequence
from pathlib import Path

from models.errors import InputError
from utils import config as configs
from utils.command import run
from utils.data.sources import Sources
from utils.disk.regular import require_target
from utils.figures.samples import write_samples
from utils.networks import new_network, open_teacher
from utils.train.claim import claimed
from utils.train.loop import fit
from utils.train.objective import Objective


def main(argv: Sequence[str] | None = None) -> None:
    parser = configs.training_parser(__doc__, "student_SPKD.yaml")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="draw a sheet of training samples, train nothing"
    )
    configs.add_spkd_flags(parser)
    arguments = parser.parse_intermixed_args(argv)
    config = configs.load(arguments.config, [*configs.spkd_flags(arguments), *arguments.overrides])
    if arguments.sheet:
        require_target("--sheet", arguments.sheet)
        if arguments.resume:
            raise InputError("train.py: --resume does nothing with --sheet; leave it out")
        write_samples(arguments.sheet, Sources(config))
        print(f"{arguments.sheet}: what the network will see")
        return

    last, best = "checkpoint.tar", "BEST_checkpoint.tar"
    resume = arguments.resume
    with claimed(config, (last, best), resume=resume, overwrite=arguments.overwrite):
        teacher = open_teacher(config) if config.teacher else None
        network = new_network(config, resume)
        objective = Objective(network, config, teacher)
        fit(objective, config, "train", last=last, best=best, resume=resume)
    print(f"the best network is {config.folder / best}")


if __name__ == "__main__":
    run(main)
