"""Change the method's code in one place at a time and see whether the tests notice.

    make mutants
    python tests/mutants.py --count 100 --seed 0 --only utils/prune

Comparisons and arithmetic are turned round, `not` is dropped, True and False and numbers change,
a call that stands alone is left out, a function returns None. Each mutant runs the tests of its
file in a copy of the tree until one fails. Prints a table; docs/mutants.md tells of the survivors.
"""

import argparse
import ast
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

import cv2  # noqa: F401  (as the next ones: imported once, not for each mutant)
import hypothesis  # noqa: F401
import pydantic  # noqa: F401
import pytest
import safetensors.torch  # noqa: F401
import torch
import torch.utils.tensorboard
from tensorboard.backend.event_processing import event_accumulator  # noqa: F401

FORK = multiprocessing.get_context("fork")
ROOT = Path(__file__).resolve().parents[1]
TESTS = {  # the quick ones first
    "utils/distill": ("distill", "method", "loop"),
    "utils/prune": ("prune", "method"),
    "utils/train": ("schedule", "optimizer", "method", "loop", "resume"),
    "train.py": ("method", "resume"),
    "train_prune.py": ("method", "resume"),
    "train_pruned.py": ("method", "resume"),
}
CPU_LIMIT, WALL_LIMIT = 300, 3600  # seconds; a mutant that takes longer has died
TURNED = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd},
}
NO_PLACES = (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)  # words and names
WORDS = ("log.", "print(", "bar.")
NO_FIELDS = ("annotation", "returns", "decorator_list")


class Mutant(NamedTuple):
    """A place of a file and what stands there instead."""

    file: str
    node: ast.expr | ast.stmt
    text: str

    def source(self) -> bytes:
        lines = (ROOT / self.file).read_bytes().splitlines(keepends=True)
        first, last = self.node.lineno - 1, self.node.end_lineno - 1
        before = b"".join(lines[:first]) + lines[first][: self.node.col_offset]
        after = lines[last][self.node.end_col_offset :] + b"".join(lines[last + 1 :])
        return before + self.text.encode() + after


def mutants(file: str) -> Iterator[Mutant]:
    for node in _nodes(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        for place, changed in _changes(node):
            text = changed if isinstance(changed, str) else f"({ast.unparse(changed)})"
            yield Mutant(file, place, text)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that do something; words to the user are left alone."""
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


def judged(mutant: Mutant, folder: str) -> str:
    """The test that killed it, `time limit`, or `survived`; in a copy of the tree in `folder`."""
    tree = Path(folder) / str(os.getpid())
    if not tree.exists():
        copy_tree(tree)
    (tree / mutant.file).write_bytes(mutant.source())
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=test, args=(tree, tests_of(mutant.file), sender))
    process.start()
    sender.close()
    try:
        result = receiver.recv() if receiver.poll(WALL_LIMIT) else "time limit"
    except EOFError:
        result = "time limit"
    process.kill()
    shutil.copy(ROOT / mutant.file, tree / mutant.file)
    return result


def test(tree: Path, tests: list[str], sender: Connection) -> None:
    """Run the tests in this process, whose libraries are there already, until one fails."""
    os.chdir(tree)
    sys.path[0] = str(tree)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT))
    torch.set_num_threads(1)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    failed = Failed()
    code = pytest.main(["-x", "-p", "no:cacheprovider", *tests], plugins=[failed])
    sender.send(failed.name or ("survived" if code == 0 else "no test starts"))


class Failed:
    """A plugin of pytest that notes the test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = report.nodeid


def copy_tree(tree: Path) -> None:
    """Copy the files that git knows or would add."""
    told = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for file in subprocess.check_output(told, cwd=ROOT, text=True).splitlines():
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tree / file)


def tests_of(file: str) -> list[str]:
    names = next(names for place, names in TESTS.items() if file.startswith(place))
    return [f"tests/test_{name}.py" for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="mutants, drawn from all places")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="PATH", help="files whose path begins so")
    arguments = parser.parse_args()
    files = [
        f for place in TESTS for f in (ROOT / place, *(ROOT / place).glob("*.py")) if f.is_file()
    ]
    names = sorted(file.relative_to(ROOT).as_posix() for file in files)
    places = [m for name in names if name.startswith(arguments.only) for m in mutants(name)]
    drawn = random.Random(arguments.seed).sample(places, min(arguments.count, len(places)))
    print(f"{len(drawn)} of {len(places)} mutants\n\n| place | was | is | result |\n|-|-|-|-|")
    results = []
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, FORK) as pool:
        for mutant, result in zip(drawn, pool.map(judged, drawn, repeat(folder)), strict=True):
            place, was = f"{mutant.file}:{mutant.node.lineno}", ast.unparse(mutant.node)
            print("|", " | ".join((place, was, mutant.text, result)), "|", flush=True)
            results.append(result)
    print(f"\nkilled: {len(results) - results.count('survived')} of {len(results)}")


if __name__ == "__main__":
    main()
