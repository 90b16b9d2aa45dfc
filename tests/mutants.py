"""Change the method's code in one place at a time and see whether the tests notice.

    make mutants
    python tests/mutants.py --count 100 --seed 0 --only utils/prune
    python tests/mutants.py --known

Comparisons and arithmetic are turned round, `not` is dropped, True and False and numbers change,
a call that stands alone is left out, a function returns None. Each mutant runs the tests of its
file, in a copy of the tree, until one fails. CONTRIBUTING.md tells of those that survive. `KNOWN`,
which come first, are faults that once went unnoticed, each with the tests that notice it now.
"""

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
TESTS = {  # the quick ones first
    "utils/distill": (
        "distill/test_losses",
        "distill/test_kinds",
        "train/test_grad_norms",
        "train/test_method",
        "train/test_loop",
    ),
    "utils/prune": (
        "prune/test_select",
        "prune/test_criteria",
        "prune/test_budget",
        "prune/test_sparsity",
        "figures/test_widths",
        "train/test_method",
    ),
    "utils/train": (
        "train/test_schedule",
        "train/test_optimizer",
        "train/test_averages",
        "train/test_resume_check",
        "train/test_run_lock",
        "train/test_grad_norms",
        "figures/test_sheet",
        "cli/test_signals",
        "train/test_method",
        "train/test_loop",
    ),
    "utils/distributed.py": ("train/test_distributed",),
    "utils/tasks": ("tasks/test_matting_losses", "tasks/test_segmentation", "train/test_loop"),
    "utils/data/crops": ("data/test_radii", "data/test_view", "data/test_crops"),
    "train.py": ("cli/test_arguments", "train/test_method", "train/test_resume", "test_scripts"),
    "train_prune.py": ("train/test_cut_training", "train/test_method", "train/test_resume"),
    "train_pruned.py": ("train/test_cut_training", "train/test_method", "train/test_resume"),
}
LIMIT = 300  # seconds of CPU; a mutant that takes longer has died
TURNED = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd},
}
WORDS = ("log.", "print(", "bar.")  # statements that tell the user something
NO_PLACES = (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)
NO_FIELDS = ("annotation", "returns", "decorator_list")
FORK = multiprocessing.get_context("fork")  # libraries are imported once, not for each mutant
LIBRARIES = ("cv2", "hypothesis", "pydantic", "safetensors.torch", "torch.utils.tensorboard")


class Known(NamedTuple):
    """A fault: what is replaced in a file, by what, and the tests that notice it."""

    fault: str
    file: str
    old: str
    new: str
    tests: str

    def source(self) -> bytes:
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise SystemExit(f"{self.file}: {self.old!r} stands there {text.count(self.old)} times")
        return text.replace(self.old, self.new).encode()


KNOWN = (
    Known(
        "each process compares the pictures of its own share",
        "utils/distill/similarity.py",
        "for features in map(distributed.gathered, (student, teacher))",
        "for features in (student, teacher)",
        "train/test_distributed",
    ),
    Known(
        "a share with few unknown pixels weighs as much as one with many",
        "utils/train/objective.py",
        "name: value * share.to(value.dtype)",
        "name: value",
        "train/test_distributed",
    ),
    Known(
        "EMA is applied twice a step",
        "utils/train/loop.py",
        "        self.average.update()\n",
        "        self.average.update()\n        self.average.update()\n",
        "train/test_averages",
    ),
    Known(
        "the live network is validated in place of the average",
        "utils/train/loop.py",
        "network, setup = self.average.network, self.setup",
        "network, setup = self.network, self.setup",
        "train/test_averages",
    ),
    Known(
        "the release's threshold keeps what is equal",
        "utils/prune/widths.py",
        "(g.scale.abs() > threshold[g.part])",
        "(g.scale.abs() >= threshold[g.part])",
        "prune/test_select",
    ),
    Known(
        "FSP's pairs are in the config's order",
        "utils/distill/fsp.py",
        "pairwise(name for name in teacher.stages if name in options.stages)",
        "pairwise(options.stages)",
        "distill/test_kinds",
    ),
    Known(
        "segmentation's validation loss is that of the batch for each picture",
        "utils/tasks/segmentation.py",
        "[cross_entropy(scores[None], labels[None]) for scores, labels in pairs]",
        "[cross_entropy(output, batch.labels) for _ in pairs]",
        "tasks/test_segmentation",
    ),
    Known(
        "the trimap's radius is scaled the wrong way in bent samples",
        "utils/data/crops/crop_set.py",
        "self._in_pixels(radii, view.scale)",
        "self._in_pixels(radii, 1 / view.scale)",
        "data/test_crops",
    ),
    Known(
        "each degradation is applied twice",
        "utils/data/augment.py",
        "image = degrade(image, rng)",
        "image = degrade(degrade(image, rng), rng)",
        "data/test_crops",
    ),
    Known(
        "the foreground's jitter is masked by the trimap",
        "utils/data/crops/crop_set.py",
        "jitter_foreground(colour, alpha, rng)",
        "jitter_foreground(colour, trimap, rng)",
        "data/test_crops",
    ),
    Known(
        "times of two teachers are mixed",
        "utils/tables/results.py",
        "own = [time for time in times if time.network == network]",
        "own = list(times)",
        "tables/test_report",
    ),
    Known(
        "holistic index blocks are half as wide",
        "models/layers/index_blocks.py",
        "width = 2 * channels.full[group]",
        "width = channels.full[group]",
        "models/test_networks",
    ),
    Known(
        "mobile_unet's last upsampling is nearest",
        "models/mobile_unet.py",
        'x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)',
        'x = F.interpolate(x, scale_factor=2, mode="nearest")',
        "models/test_mobile_unet",
    ),
    Known(
        "the attention's floor of key lengths is another",
        "models/layers/attention.py",
        "MIN_LENGTH = 1e-4",
        "MIN_LENGTH = 1e-2",
        "models/test_gca",
    ),
    Known(
        "a side of half the stride is padded by reflection",
        "models/network.py",
        '"reflect" if right < width else',
        '"reflect" if right <= width else',
        "models/test_networks",
    ),
)


class Mutant(NamedTuple):
    """A place of a file and what stands there instead."""

    file: str
    node: ast.AST
    text: str

    def source(self) -> bytes:
        lines = (ROOT / self.file).read_bytes().splitlines(keepends=True)
        first, last = self.node.lineno - 1, self.node.end_lineno - 1
        before = b"".join(lines[:first]) + lines[first][: self.node.col_offset]
        after = lines[last][self.node.end_col_offset :] + b"".join(lines[last + 1 :])
        return before + self.text.encode() + after


UNCHANGED = Mutant(
    "utils/prune/gates.py", ast.Pass(lineno=1, end_lineno=1, col_offset=0, end_col_offset=0), ""
)


def mutants(file: str) -> Iterator[Mutant]:
    for node in _nodes(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        for place, changed in _changes(node):
            text = changed if isinstance(changed, str) else f"({ast.unparse(changed)})"
            yield Mutant(file, place, text)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            told = isinstance(child, ast.Expr) and ast.unparse(child).startswith(WORDS)
            if isinstance(child, ast.AST) and field not in NO_FIELDS and not told:
                yield from () if isinstance(child, NO_PLACES) else _nodes(child)


def _changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.expr | str]]:
    match node:
        case ast.Compare(left, [op], [right]) if type(op) in TURNED:
            yield node, ast.Compare(left, [TURNED[type(op)]()], [right])
        case ast.BinOp(left, op, right) if type(op) in TURNED:
            yield node, ast.BinOp(left, TURNED[type(op)](), right)
        case ast.BoolOp(op, values):
            yield node, ast.BoolOp(TURNED[type(op)](), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield node, operand
        case ast.AugAssign(target, op, value) if type(op) in TURNED:
            yield node, ast.unparse(ast.AugAssign(target, TURNED[type(op)](), value))
        case ast.Constant(bool() as value):
            yield node, ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield node, ast.Constant(value + 1)
        case ast.Expr(ast.Call()):
            yield node, "pass"
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield node, "return None"
        case ast.If(test) | ast.IfExp(test) if isinstance(test, (ast.Name, ast.Attribute)):
            yield test, ast.UnaryOp(ast.Not(), test)


def judged(mutant: Mutant | Known, folder: str) -> str:
    """The test that killed it, `time limit`, or `survived`; in a copy of the tree in `folder`."""
    tree = Path(folder) / str(os.getpid())
    if not tree.exists():
        copy_tree(tree)
    (tree / mutant.file).write_bytes(mutant.source())
    receiver, sender = FORK.Pipe(duplex=False)
    names = (mutant.tests,) if isinstance(mutant, Known) else tests_of(mutant.file)
    FORK.Process(target=test, args=(tree, names, sender)).start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return "time limit"
    finally:
        shutil.copy(ROOT / mutant.file, tree / mutant.file)


def copy_tree(tree: Path) -> None:
    """Copy the files that git knows or would add."""
    told = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for file in subprocess.check_output(told, cwd=ROOT, text=True).splitlines():
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tree / file)


def tests_of(file: str) -> tuple[str, ...]:
    return next(names for place, names in TESTS.items() if file.startswith(place))


def test(tree: Path, names: tuple[str, ...], sender: Connection) -> None:
    """Run tests in this process until one fails; send its name."""
    os.chdir(tree)
    sys.path[0] = str(tree)
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    torch.set_num_threads(1)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    failed = Failed()
    paths = [f"tests/{name}.py" for name in names]
    code = pytest.main(["-x", "-p", "no:cacheprovider", *paths], plugins=[failed])
    sender.send(failed.name or ("survived" if code == 0 else "no test starts"))


class Failed:
    """A plugin of pytest that notes the test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.name = report.nodeid.partition("::")[2] if report.failed else self.name


def judge_known() -> int:
    """How many of `KNOWN` survive."""
    with tempfile.TemporaryDirectory() as folder:
        results = {one: judged(one, folder) for one in KNOWN}
    for one, result in results.items():
        print(f"{one.fault}: {result}", flush=True)
    return list(results.values()).count("survived")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="mutants, drawn from all places")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="PATH", help="files whose path begins so")
    parser.add_argument("--known", action="store_true", help="the faults of `KNOWN` alone")
    arguments = parser.parse_args()
    for library in LIBRARIES:
        importlib.import_module(library)
    survived = 0 if arguments.only else judge_known()
    if arguments.known:
        sys.exit(f"{survived} of {len(KNOWN)} survived" if survived else 0)
    found = [f for place in TESTS for f in (ROOT / place, *(ROOT / place).glob("*.py"))]
    names = sorted(file.relative_to(ROOT).as_posix() for file in found if file.is_file())
    places = [m for name in names if name.startswith(arguments.only) for m in mutants(name)]
    drawn = random.Random(arguments.seed).sample(places, min(arguments.count, len(places)))
    with tempfile.TemporaryDirectory() as folder:
        if (failed := judged(UNCHANGED, folder)) != "survived":
            sys.exit(f"without any change: {failed}")
    print(f"{len(drawn)} of {len(places)} mutants\n\n| place | was | is | result |\n|-|-|-|-|")
    survived = 0
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, FORK) as pool:
        for mutant, result in zip(drawn, pool.map(judged, drawn, repeat(folder)), strict=True):
            place, was = f"{mutant.file}:{mutant.node.lineno}", ast.unparse(mutant.node)
            print("|", " | ".join((place, was, mutant.text, result)), "|", flush=True)
            survived += result == "survived"
    print(f"\nkilled: {len(drawn) - survived} of {len(drawn)}")


if __name__ == "__main__":
    main()
