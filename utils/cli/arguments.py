"""Arguments that several scripts have; no package is imported for them."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from models.errors import InputError

HINTON = "hinton"  # SPKD's name for the loss to the teacher's matte alone
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args=None, namespace=None):
        for word in sys.argv[1:] if args is None else args:
            if word.startswith("-") and word.endswith("=--"):
                # Before Python 3.12.5 argparse takes this value away, and ends in a traceback.
                self.error(f"{word}: -- is no value")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """One line, as for all bad input."""
        self.exit(2, f"error: {' '.join(message.split())}; see --help\n")


def parser(description: str) -> argparse.ArgumentParser:
    """An empty parser; `--help` shows the description, a script's docstring, as it is written."""
    return _Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """Give a script `--config FILE`, by default one of configs/, and `key=value` overrides."""
    told = f"the options of the experiment (configs/{default})"
    parser.add_argument("--config", default=CONFIGS / default, metavar="FILE", help=told)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="options, e.g. train.batch_size=4; utils/config/options.py has all",
    )


def training_parser(description: str, config: str) -> argparse.ArgumentParser:
    """A parser of `--config FILE` (default: `config`), overrides and what is done with it."""
    made = parser(description)
    add_arguments(made, config)
    there = made.add_mutually_exclusive_group()
    there.add_argument("--resume", action="store_true", help="continue where it was stopped")
    there.add_argument("--overwrite", action="store_true", help="replace what was trained there")
    told = "print how strongly each term of the loss pulls at the network, train nothing"
    there.add_argument("--pull", action="store_true", help=told)
    return made


def add_spkd_flags(parser: argparse.ArgumentParser) -> None:
    """Give a script the flags of SPKD's release, for `spkd_flags`."""
    flags = parser.add_argument_group("the flags of SPKD's release")
    flags.add_argument("--batch-size", metavar="N", help="train.batch_size=N")
    flags.add_argument("--KD_type", metavar="A,B", help=f"distill.types=[A,B]; {HINTON}: loss.kd=0")
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
    """The overrides that the flags of SPKD's release stand for; its layers count from 0."""
    overrides = []
    if arguments.batch_size is not None:
        overrides.append(f"train.batch_size={arguments.batch_size}")
    if arguments.KD_type is not None:
        overrides.append(_kinds(arguments))
    if arguments.feature_layer is not None:
        layers = [layer.strip() for layer in arguments.feature_layer.strip("[]").split(",")]
        if not all(layer.isdecimal() and len(layer) < 9 for layer in layers):
            raise InputError(f"--feature_layer {arguments.feature_layer!r}: write [1,2,3,4]")
        stages = ",".join(f"encoder{int(layer) + 1}" for layer in layers)
        overrides.append(f"distill.stages=[{stages}]")
    if arguments.KD_weight is not None:
        overrides.append(f"distill.weights=[{arguments.KD_weight.strip('[]')}]")
    return overrides


def _kinds(arguments: argparse.Namespace) -> str:
    """The override for `--KD_type`; its `hinton` is the loss to the teacher's matte alone."""
    names = arguments.KD_type.strip("[]")
    kinds = [name.strip() for name in names.split(",")]
    if HINTON not in kinds:
        return f"distill.types=[{names}]"
    if len(kinds) > 1:
        raise InputError(
            f"--KD_type {names}: the teacher's matte is imitated beside every kind, with weight "
            f"loss.alpha_teacher; leave out {HINTON}, or all others"
        )
    for flag in ("feature_layer", "KD_weight"):
        if getattr(arguments, flag) is not None:
            raise InputError(f"--{flag}: {HINTON} compares no stages; leave it out")
    return "loss.kd=0"
