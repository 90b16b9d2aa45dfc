"""Pruning stage (DCP, ACCV 2022): learn under distillation which channels matter, cut the others.

    python train_prune.py --config configs/train_SPKD.yaml

A new network of the teacher's architecture, the student, every gate (BatchNorm scale gamma) open at
0.5 and without a shift, learns for a few epochs

    L = loss.alpha A(student, truth) + loss.alpha_teacher A(student, teacher)
        + loss.kd sum over stages of KD(student, teacher)
        + sparsity (encoder_factor * sum of |gamma| in the encoder + sum of |gamma| in the decoder)

A is the alpha loss over the unknown pixels (for segmentation cross entropy to the truth, and to the
teacher the divergence of probabilities), KD a similarity such as SPKD's, sparsity a sub-gradient or
a soft threshold (`prune.sparsity_form`). With `prune.start: teacher` the network starts from the
teacher's weights instead. Then the channels with the smallest gates are cut: `prune.rate` of them,
or as many as `prune.budget` (parameters, macs or milliseconds) asks for.

`prune.criterion` chooses other prunings: `ns` (Network Slimming) and `cap` (CAP-style) learn
without the teacher's terms, `uni` cuts all widths alike and trains nothing. `magnitude`, `taylor`,
`fpgm` and `random` rank the channels of the teacher itself, without gates; with `prune.steps: K`
they cut K times, and after each cut but the last train the epochs / K under the distillation.
`prune.candidates` tries several `prune.min_share` and keeps the best by validation.

Reads the prepared data set and the teacher, result/<save_dir>/BEST_checkpoint.tar unless the config
names another. Writes pruned.tar into result/<save_dir>; --resume continues from
checkpoint_prune.tar there (and of later steps checkpoint_prune2.tar ...), --overwrite begins anew.
--pull trains nothing: it prints the gradient norm of each loss term but the sparsity.
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
from utils.cli.table import table
from utils.config import load
from utils.config.options import Config
from utils.networks.cost import comparison
from utils.networks.loading import open_teacher, set_seed
from utils.prune import (
    CRITERIA,
    Budget,
    History,
    Sparsity,
    check_keep,
    cut,
    gated,
    make_sparsity,
    norms,
    open_gates,
    per_cost,
    rate_message,
    scores,
    select,
)
from utils.prune.select import options_of
from utils.train.checkpoint import run_lock
from utils.train.grad_norms import grad_norms, grad_norms_message
from utils.train.loop import Run
from utils.train.objective import Objective
from utils.train.pruning import best_candidate, cut_without_gates


def require_gates(config: Config, teacher: models.Network) -> None:
    if teacher.structure.get("folded"):
        raise InputError(
            f"teacher: {config.teacher_path} is folded for deployment and has no gates; name the "
            "network that it was made of"
        )


def objective_and_sparsity(config: Config, teacher: models.Network) -> tuple[Objective, Sparsity]:
    """A new network of the teacher's architecture under its terms, and what pulls on its gates."""
    require_gates(config, teacher)
    set_seed(config)
    structure = teacher.structure | {"gates": True}
    network = models.build(teacher.name, teacher.plan, **structure)
    if config.prune.start == "teacher":  # which has no learned scales
        network.load_state_dict(teacher.state_dict(), strict=False)
    else:
        open_gates(network)
    sparsity = make_sparsity(network, config)
    imitated = teacher if config.prune.criterion == "distilled" else None
    return Objective(network, config, imitated, watch=sparsity.watch), sparsity


@distributed.ranks()
def main(argv: Sequence[str] | None = None) -> None:
    args = arguments.training_parser(__doc__, "train_SPKD.yaml").parse_intermixed_args(argv)
    config = load(args.config, args.overrides)
    prune = config.prune
    if args.pull:
        if not prune.has_gates:
            how = f"prune.criterion={prune.criterion}"
            raise InputError(f"--pull: {how} trains no gates; leave it out")
        objective, _ = objective_and_sparsity(config, open_teacher(config))
        print(grad_norms_message(grad_norms(objective, config, "train_prune")))
        return
    last, pruned = "checkpoint_prune.tar", config.folder / "pruned.tar"
    lasts = [last, *(f"checkpoint_prune{k}.tar" for k in range(2, prune.steps))]
    tried = [f"checkpoint_candidate{k + 1}.tar" for k in range(len(prune.candidates))]
    names = (*lasts, *tried, pruned.name)
    with run_lock(config, names, resume=args.resume, overwrite=args.overwrite) as resume:
        teacher = open_teacher(config)
        check_keep(teacher.plan, prune.keep)
        prunes = [
            prune.model_copy(update={"min_share": share})
            for share in prune.candidates or (prune.min_share,)
        ]
        # Here, so that an impossible one is told before the training.
        budgets = [Budget(teacher, one) if prune.budget.unit else None for one in prunes]
        for name in () if resume else (*lasts[1:], *tried):
            (config.folder / name).unlink(missing_ok=True)
        history = History()
        if prune.criterion in CRITERIA:
            require_gates(config, teacher)
            network = gated(teacher)
            cuts = [
                cut_without_gates(network, teacher, config, one, budget, lasts, resume)
                for one, budget in zip(prunes, budgets, strict=True)
            ]
        else:
            if prune.criterion == "uni":
                network, ranked = teacher, norms(teacher)
            else:
                objective, sparsity = objective_and_sparsity(config, teacher)
                network, learned = objective.network, {"sparsity": sparsity, "history": history}
                Run(objective, config, "train_prune", last=last, **learned, resume=resume).fit()
                ranked = per_cost(scores(network), network, prune)
            network.eval()
            cuts = []
            for one, budget in zip(prunes, budgets, strict=True):
                keep = None
                if not distributed.rank():
                    keep = select(
                        network, one.rate, **options_of(one), ranked=ranked, budget=budget
                    )
                keep = distributed.from_first(keep)
                cuts.append((cut(network, keep), keep, ranked))
        smalls = [small for small, *_ in cuts]
        best = best_candidate(smalls, teacher, config, tried, resume) if tried else 0
        (small, keep, ranked), budget, options = cuts[best], budgets[best], options_of(prunes[best])
        if distributed.rank():
            return
        if budget:
            print(budget.message())
        elif line := rate_message(network, keep, prune.rate, **options):
            print(line)
        ranked = {group: score.cpu() for group, score in ranked.items()}
        extra = {"keep": keep, "scores": ranked, "gates": history.rows, "ties": options["ties"]}
        files.save(pruned, files.record(small) | extra)

    widths = [(group, width, small.plan[group]) for group, width in network.plan.items()]
    print(table(("group", "before", "after"), widths))
    print(comparison({"teacher": teacher, "pruned": small}))
    print(f"the cut network is {pruned}; train it with {config_command('train_pruned.py', config)}")


if __name__ == "__main__":
    run(main)
