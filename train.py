r"""Train a teacher, or a student of fixed width under distillation.

    python train.py --config configs/train_SPKD.yaml
    python train.py --batch-size 16 --KD_type spatial,channel \
        --feature_layer [1,2,3,4] --KD_weight [1,1]

The first trains the config's network on the ground truth alone. The second is SPKD (IEEE SPL 2020):
the config names a teacher, and the student imitates it,

    L = loss.alpha A(student, truth) + loss.alpha_teacher A(student, teacher)
        + loss.kd sum over stages of KD(student, teacher)

with A the alpha loss over unknown pixels. Without --config, train.py takes
configs/student_SPKD.yaml, whose flags these are, and the other scripts configs/train_SPKD.yaml.

Reads the data set that pre_process.py and data_gen.py have prepared. Writes BEST_checkpoint.tar,
the best by validation, into result/<save_dir>, and what TensorBoard shows into board/ there;
--resume continues from checkpoint.tar there, --overwrite begins anew. --pull trains nothing: it
prints the gradient norm of each loss term.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils import distributed
from utils.cli import arguments
from utils.cli.files import require_target
from utils.cli.problems import config_command
from utils.config import load
from utils.figures.sheet import write_samples
from utils.networks.loading import network_class, new_network, open_teacher
from utils.tasks import TASKS
from utils.train.checkpoint import run_lock
from utils.train.grad_norms import grad_norms, grad_norms_message
from utils.train.loop import Run
from utils.train.objective import Objective


@distributed.ranks()
def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments.training_parser(__doc__, "student_SPKD.yaml")
    parser.add_argument(
        "--sheet",
        type=arguments.path,
        metavar="FILE",
        help="draw a sheet of training samples, train nothing",
    )
    arguments.add_spkd_flags(parser)
    args = parser.parse_intermixed_args(argv)
    require_target("--sheet", args.sheet)
    for flag in ("resume", "pull"):
        if args.sheet and getattr(args, flag):
            raise InputError(f"train.py: --{flag} does nothing with --sheet; leave it out")
    config = load(args.config, [*arguments.spkd_flags(args), *args.overrides])
    if not config.teacher:
        arguments.refuse_distillation(args)
    task = TASKS[network_class(config).task](config)
    if args.sheet:
        distributed.require_one("--sheet")
        write_samples(args.sheet, task)
        print(f"{args.sheet}: what the network will see")
        return

    def objective(resume: bool = False) -> Objective:
        task.sources()  # a data set that is not there is told before weights are downloaded
        teacher = open_teacher(config) if config.teacher else None
        return Objective(new_network(config, resume), config, teacher)

    if args.pull:
        print(grad_norms_message(grad_norms(objective(), config, "train")))
        return
    names = last, best = "checkpoint.tar", "BEST_checkpoint.tar"
    with run_lock(config, names, resume=args.resume, overwrite=args.overwrite) as resume:
        Run(objective(resume), config, "train", last=last, best=best, resume=resume).fit()
    score = config_command("test.py", config)
    print(f"the best network is {config.folder / best}; score it with {score}")


if __name__ == "__main__":
    run(main)
