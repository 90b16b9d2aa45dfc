"""Fill a table of methods: prunings by distillations by seeds, under one teacher.

    python tables.py --config configs/tables/dcp_dim.yaml
    python tables.py --config configs/tables/dcp_dim.yaml --list
    python tables.py --config configs/tables/equal_macs.yaml --jobs 4 --rows "half / * / none / *"
    python tables.py --config configs/tables/equal_macs.yaml --slurm partition=gpu,gpus=1,hours=4

Trains the teacher, prunes, trains and scores each row with each seed, by calling the other scripts.
What is done is skipped, so that the same command goes on after an interruption. A row that goes
wrong leaves its error in the table; the others go on, and the same command tries it again.
--list prints the rows and what is done of them, and runs nothing. --rows does those alone whose
names are like a pattern. --jobs does several rows at once on this machine; with --slurm each row is
a job of Slurm. Several such commands share the rows, also on several machines with this folder.

Reads a table (docs/tables.md) and what the scripts read. Writes result/tables/NAME: NAME.md,
NAME.csv, plots of the error against MACs, parameters and milliseconds, and a folder for each
network with its config and log.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
from models.errors import InputError
from utils.cli.arguments import at_most, parser, path
from utils.tables import rows
from utils.tables.engine import Local, Slurm, slurm_options
from utils.tables.options import SlurmOptions
from utils.tables.report import states, write
from utils.tables.running import fill


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--config", type=path, required=True, metavar="FILE", help="the table")
    options.add_argument("--list", action="store_true", help="print the rows and run nothing")
    options.add_argument(
        "--jobs",
        type=at_most("--jobs", 256),
        metavar="N",
        help="rows at once (1; with --slurm as many as it has room for)",
    )
    options.add_argument(
        "--slurm",
        metavar="KEY=VALUE,...",
        help=f"give the rows to Slurm; keys: {', '.join(SlurmOptions.model_fields)}",
    )
    options.add_argument(
        "--rows",
        action="append",
        default=[],
        metavar="PATTERN",
        help='only rows whose name is like it, e.g. "half / * / none"; repeatable',
    )
    options.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="in place of the table's, e.g. seeds=[0] options.train.epochs=2",
    )
    args = options.parse_intermixed_args(argv)
    if args.jobs is not None and args.jobs < 1:
        raise InputError(f"--jobs {args.jobs}: choose 1 or more")
    slurm = args.slurm and slurm_options(args.slurm)
    table = rows.load(args.config, args.overrides)
    if args.list:
        print(states(table, args.rows))
        return
    engine = Slurm(table.folder / "jobs", slurm) if slurm else Local(table.folder / "jobs")
    errors = fill(table, engine, args.jobs, args.rows)
    engine.close()
    for file in write(table):
        print(file.read_text(encoding="utf-8"))
        print(f"{file}; plots and CSV are beside it")
    if errors:
        more = f" (and {len(errors) - 1} more, listed above)" if len(errors) > 1 else ""
        raise InputError(f"{errors[0]}{more}; the same command tries again what went wrong")


if __name__ == "__main__":
    run(main)
