"""What holds in every file of the packages: who imports whom, and who prints."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts import REPOSITORY

MODELS = sorted((REPOSITORY / "models").rglob("*.py"))
UTILS = sorted((REPOSITORY / "utils").rglob("*.py"))
SCRIPTS = ("tests", "benchmarks", *(path.stem for path in REPOSITORY.glob("*.py")))


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports, also inside functions; "." for one from its own folder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def prints(tree: ast.AST) -> Iterator[int]:
    """The lines on which a file calls `print`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print":
            yield node.lineno


def found_in(files: list[Path], find) -> list[str]:
    assert files
    parsed = ((path, ast.parse(path.read_text(encoding="utf-8"))) for path in files)
    return [f"{path.relative_to(REPOSITORY)}: {one}" for path, tree in parsed for one in find(tree)]


@pytest.mark.parametrize(
    ("files", "forbidden"),
    [(MODELS, ("utils", *SCRIPTS)), (UTILS, SCRIPTS)],
    ids=["models", "utils"],
)
def test_packages_import_no_script_and_models_no_utils(files, forbidden):
    def find(tree: ast.AST) -> list[str]:
        return [name for name in imports(tree) if name.split(".")[0] in forbidden]

    assert not found_in(files, find)


def test_packages_log_and_do_not_print():
    assert not found_in(MODELS + UTILS, prints)


def test_the_checks_see_what_they_look_for():
    tree = ast.parse("def f():\n  import utils.x\n  from utils import y\n  print(1)")
    assert list(imports(tree)) == ["utils.x", "utils"] and list(prints(tree)) == [4]


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import utils.config", {"torch"}),
        # Scoring processes import test.py anew, each of them.
        ("[runpy.run_path(f'{s}.py') for s in ('test', 'pre_process', 'data_gen')]", {"torch"}),
    ],
)
def test_what_is_quick_to_start_loads_no_heavy_package(code, heavy):
    code = f"import json, runpy, sys; {code}; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert not heavy & set(json.loads(ended.stdout))


def test_metrics_need_numpy_scipy_and_opencv_alone():
    code = """
import sys
from importlib.metadata import packages_distributions

others = {*packages_distributions(), "models"} - {"numpy", "scipy", "cv2"}
sys.modules.update(dict.fromkeys(others))  # importing one fails
import numpy
from utils.metrics import score
half = numpy.full((2, 2), 128, numpy.uint8)
print(score(half, half, half))
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ended.stdout == "{'SAD': 0.0, 'MSE': 0.0, 'Grad': 0.0, 'Conn': 0.0}\n"
