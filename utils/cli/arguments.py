"""Arguments that several scripts have."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from PIL import ImageColor

from models.errors import InputError

HINTON = "hinton"  # SPKD's name for the loss to the teacher's matte alone
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SEED = 2**63 - 1  # the largest


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as for all bad input."""
        self.exit(2, f"error: {' '.join(message.split())}; see --help\n")


def parser(description: str) -> argparse.ArgumentParser:
    """An empty parser; `--help` shows the description, a script's docstring, as it is written."""
    return _Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def path(text: str) -> Path:
    """The type of a file or folder: `~`, which no shell expands in `--out=~/mattes`, is home."""
    return Path(text).expanduser()


def colour(option: str, text: str) -> tuple[int, ...]:
    """RGB of a colour as CSS writes it: "green", "#00b140".

    Raises:
        InputError: it is none.
    """
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise InputError(f"{option} {text}: no colour; write one like green or #RRGGBB") from None


def at_most(option: str, bound: int) -> Callable[[str], int]:
    """The type of a whole number up to `bound`; who uses it looks whether it is too small.

    Raises:
        InputError: it is larger, and would be out of memory or out of the range of a type.
    """

    def number(text: str) -> int:
        value = int(text)
        if value > bound:
            raise InputError(f"{option} {value:g}: choose {bound} or less")
        return value

    return number


def refuse_given(
    arguments: argparse.Namespace, names: Iterable[str], script: str, task: str
) -> None:
    """Raise an `InputError` where one of the options `names` is given, and does nothing in a task.

    An option that is not given is None.
    """
    for name in names:
        if getattr(arguments, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"{script}: --{option} does nothing with {task}; leave it out")


def add_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """Give a script `--config FILE`, by default one of configs/, and `key=value` overrides."""
    parser.add_argument(
        "--config",
        type=path,
        default=CONFIGS / default,
        metavar="FILE",
        help=f"the options of the experiment (configs/{default})",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="options, e.g. train.batch_size=4; utils/config/options.py has all",
    )


def training_parser(description: str, config: str) -> argparse.ArgumentParser:
    """A parser of `--config FILE` (default: `config`), overrides and what is done with it."""
    options = parser(description)
    add_arguments(options, config)
    task = options.add_mutually_exclusive_group()
    task.add_argument("--resume", action="store_true", help="continue where it was stopped")
    task.add_argument("--overwrite", action="store_true", help="replace what was trained there")
    task.add_argument(
        "--pull",
        action="store_true",
        help="print the gradient norm of each loss term, train nothing",
    )
    return options


def add_spkd_flags(parser: argparse.ArgumentParser) -> None:
    """Give a script the flags of SPKD's release, for `spkd_flags`."""
    flags = parser.add_argument_group("the flags of SPKD's release")
    flags.add_argument("--batch-size", metavar="N", help="train.batch_size=N")
    flags.add_argument(
        "--KD_type", metavar="A,B", help=f"distill.types=[A,B]; {HINTON}: the output only"
    )
    flags.add_argument("--feature_layer", metavar="[I,J]", help="encoder stages, counted from 0")
    flags.add_argument("--KD_weight", metavar="[X,Y]", help="distill.weights=[X,Y]")


def refuse_distillation(arguments: argparse.Namespace) -> None:
    """Refuse flags that say how a teacher is imitated, for a training that has none.

    Raises:
        InputError: one of them is given.
    """
    for flag in ("KD_type", "feature_layer", "KD_weight"):
        if getattr(arguments, flag) is not None:
            raise InputError(
                f"--{flag}: {arguments.config} names no teacher to imitate; add teacher=FILE, or "
                "leave it out"
            )


def spkd_flags(arguments: argparse.Namespace) -> list[str]:
    """The overrides that the flags of SPKD's release stand for; its layers count from 0.

    Raises:
        InputError: layers that are no numbers, no kind, or hinton beside what it excludes.
    """
    overrides = []
    if arguments.batch_size is not None:
        overrides.append(f"train.batch_size={arguments.batch_size}")
    if arguments.KD_type is not None:
        kinds = [name.strip() for name in arguments.KD_type.strip("[]").split(",")]
        if not all(kinds):
            raise InputError(f"--KD_type {arguments.KD_type!r}: write spatial,channel")
        if HINTON in kinds:
            _require_hinton_alone(arguments, kinds)
            overrides.append("loss.kd=0")
        else:
            overrides.append(f"distill.types=[{','.join(kinds)}]")
    if arguments.feature_layer is not None:
        layers = [layer.strip() for layer in arguments.feature_layer.strip("[]").split(",")]
        if not all(layer.isdecimal() for layer in layers):
            raise InputError(f"--feature_layer {arguments.feature_layer!r}: write [1,2,3,4]")
        stages = ",".join(f"encoder{int(layer) + 1}" for layer in layers)
        overrides.append(f"distill.stages=[{stages}]")
    if arguments.KD_weight is not None:
        overrides.append(f"distill.weights=[{arguments.KD_weight.strip('[]')}]")
    return overrides


def _require_hinton_alone(arguments: argparse.Namespace, kinds: list[str]) -> None:
    if len(kinds) > 1:
        raise InputError(
            f"--KD_type {','.join(kinds)}: the teacher's matte is imitated beside every kind, with "
            f"weight loss.alpha_teacher; leave out {HINTON}, or all others"
        )
    for flag in ("feature_layer", "KD_weight"):
        if getattr(arguments, flag) is not None:
            raise InputError(f"--{flag}: {HINTON} compares no stages; leave it out")
