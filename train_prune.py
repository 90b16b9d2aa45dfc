"""Pruning stage (DCP, ACCV 2022): learn under distillation which channels matter, cut the others.

    python train_prune.py --config configs/train_SPKD.yaml

A new network s of the teacher's architecture, every gate (BatchNorm scale gamma) open at 0.5 and
without a shift, learns for a few epochs

    L = alpha A(s, truth) + alpha_teacher A(s, teacher) + kd sum of KD(stages of s, of the teacher)
        + sparsity (encoder_factor * sum of |gamma| in the encoder + sum of |gamma| in the decoder)

A is the alpha loss over the unknown pixels, KD a similarity such as SPKD's, sparsity a
sub-gradient. (With `prune.start: teacher` the network starts from the teacher's weights instead.)
Then the channels with the smallest gates are cut: `prune.rate` of them, or as many as
`prune.budget` (parameters, macs or milliseconds) asks for. Reads the prepared data set and the
teacher, result/<save_dir>/BEST_checkpoint.tar unless the config names another. Writes pruned.tar
into result/<save_dir>; --resume continues from checkpoint_prune.tar there, --overwrite begins anew.
"""

from collections.abc import Sequence

from utils import arguments
from utils.advice import with_config
from utils.command import run
from utils.table import table
from utils.threads import choose_threads


def main(argv: Sequence[str] | None = None) -> None:
    args = arguments.training_parser(__doc__, "train_SPKD.yaml").parse_intermixed_args(argv)
    # Here, so that a wrong argument is told before PyTorch has been imported.
    from utils import config as configs

    config = configs.load(args.config, args.overrides)
    wanted = config.prune
    choose_threads()
    import torch

    import models
    from models import files
    from utils.cost import comparison
    from utils.networks import open_teacher
    from utils.prune import Budget, Sparsity, cut, open_gates, scores, select, tell_rate
    from utils.train.claim import claimed
    from utils.train.loop import fit
    from utils.train.objective import Objective

    last, pruned, resume = "checkpoint_prune.tar", "pruned.tar", args.resume
    with claimed(config, (last, pruned), resume=resume, overwrite=args.overwrite):
        teacher = open_teacher(config)
        # Here, so that an impossible one is told before the training.
        budget = Budget(teacher, wanted) if wanted.budget.unit else None
        torch.manual_seed(config.seed)
        network = models.build(teacher.name, teacher.plan, **teacher.structure | {"gates": True})
        if wanted.start == "teacher":
            network.load_state_dict(teacher.state_dict(), strict=False)  # it has no learned scales
        else:
            open_gates(network)
        objective = Objective(network, config, teacher)
        released = wanted.ties == "max_count"
        sparsity = Sparsity(network, wanted.sparsity, wanted.encoder_factor, fixed=released)
        fit(objective, config, "train_prune", last=last, sparsity=sparsity, resume=resume)

        how = {key: getattr(wanted, key) for key in ("ties", "min_channels", "round_to")}
        keep = select(network, wanted.rate, **how, budget=budget)
        if budget:
            print(budget.tell())
        elif line := tell_rate(network, keep, wanted.rate, **how):
            print(line)
        small = cut(network.eval(), keep)
        ranked = {group: score.cpu() for group, score in scores(network).items()}
        path = config.folder / pruned
        files.save(path, files.record(small) | {"keep": keep, "scores": ranked})

    widths = [(group, width, small.plan[group]) for group, width in network.plan.items()]
    print(table(("group", "before", "after"), widths))
    print(comparison({"teacher": teacher, "pruned": small}))
    print(f"the cut network is {path}; train it with {with_config('train_pruned.py', config)}")


if __name__ == "__main__":
    run(main)
