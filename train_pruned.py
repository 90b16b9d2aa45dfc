"""Training stage (DCP, ACCV 2022): train the cut network under the same distillation.

    python train_pruned.py --config configs/train_SPKD.yaml

    L = loss.alpha A(student, truth) + loss.alpha_teacher A(student, teacher)
        + loss.kd sum over stages of KD(student, teacher)

The student has the widths of result/<save_dir>/pruned.tar. It starts from fresh weights
(`prune.weights: scratch`, as published) or from those that were not cut (`inherit`). Reads the
prepared data set, pruned.tar and the teacher. Writes BEST_pruned.tar, the best by validation,
beside it; --resume continues from checkpoint_pruned.tar there, --overwrite begins anew.
--pull trains nothing: it prints the gradient norm of each loss term.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
import models
from models.errors import InputError
from models.files import saving as files
from utils import distributed
from utils.cli import arguments
from utils.cli.problems import config_command
from utils.config import load
from utils.networks.loading import open_pruned, open_teacher, set_seed
from utils.train.checkpoint import run_lock
from utils.train.grad_norms import grad_norms, grad_norms_message
from utils.train.loop import Run
from utils.train.objective import Objective


def structure_before_cut(teacher: models.Network, network: models.Network) -> dict[str, object]:
    """The structure with what a cut folds, a spectral norm, where the teacher was what was cut."""
    cut = teacher.folded(norms=False)
    same = (cut.name, cut.structure) == (network.name, network.structure)
    return teacher.structure if same else network.structure


@distributed.ranks()
def main(argv: Sequence[str] | None = None) -> None:
    args = arguments.training_parser(__doc__, "train_SPKD.yaml").parse_intermixed_args(argv)
    config = load(args.config, args.overrides)
    pruned = config.folder / "pruned.tar"

    def objective_and_origin() -> tuple[Objective, dict[str, str]]:
        teacher = open_teacher(config)
        network, origin = open_pruned(config)
        set_seed(config)
        if config.prune.weights == "scratch":
            network = models.build(
                network.name, network.plan, **structure_before_cut(teacher, network)
            )
        elif files.read(pruned).get("ties") == "max_count":
            raise InputError(
                f"prune.weights: {pruned} was cut with ties=max_count, which decides widths only; "
                "set prune.weights=scratch, or cut it anew"
            )
        return Objective(network, config, teacher), origin

    if args.pull:
        objective, _ = objective_and_origin()
        print(grad_norms_message(grad_norms(objective, config, "train_pruned")))
        return
    names = last, best = "checkpoint_pruned.tar", "BEST_pruned.tar"
    with run_lock(config, names, resume=args.resume, overwrite=args.overwrite) as resume:
        objective, origin = objective_and_origin()
        Run(
            objective, config, "train_pruned", last=last, best=best, origin=origin, resume=resume
        ).fit()
    score = config_command("test.py", config)
    print(f"the best network is {config.folder / best}; score it with {score}")


if __name__ == "__main__":
    run(main)
