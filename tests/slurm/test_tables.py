"""A table has the same numbers, whatever runs its rows: one process, several, or Slurm."""

import csv
import shutil
from pathlib import Path

import pytest
import torch

from tests import scripts
from tests.sets import write_test_set
from tests.tables.stub import Engine, put_real
from utils.tables import rows
from utils.tables.engine import Slurm
from utils.tables.report import write
from utils.tables.running import fill

TABLE = {
    "pruning": {"criterion": {"NS": {"prune": {"criterion": "ns"}}}},
    "training": {"kind": {"none": {"loss": {"kd": 0.0}}, "CWD": {"distill": {"types": ["cwd"]}}}},
}


def numbers() -> list[dict[str, str]]:
    with Path("result/tables/table/table-seeds.csv").open() as file:
        return [{**row, "milliseconds": ""} for row in csv.DictReader(file)]


@pytest.fixture
def expected(data, tmp_path, monkeypatch) -> list[dict[str, str]]:
    """The numbers of a table whose scripts are called in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the jobs
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    sets = {key: str(path) for key, path in write_test_set(tmp_path / "test").items()}
    del sets["pred"]
    put_real(data, TABLE | {"tests": {"three": sets}})

    def call(script: str, words: list[str], _: Path) -> int:
        scripts.main(script, *words)
        return 0

    table = rows.load("table.yaml")
    assert fill(table, Engine(), call=call) == []
    torch.set_num_threads(threads)
    write(table)
    expected = numbers()
    shutil.rmtree("result")
    return expected


@pytest.mark.parametrize("engine", ["local", "slurm"])
def test_numbers_are_those_of_scripts_called_one_after_the_other(
    expected, engine, request, monkeypatch
):
    given = ["--jobs", 2]
    if engine == "slurm":
        request.getfixturevalue("slurm")
        monkeypatch.setattr(Slurm, "poll", 0.5)
        given = ["--slurm", "partition=tests,hours=1"]
    scripts.main("tables.py", "--config", "table.yaml", *given)
    assert len(expected) == 3 and numbers() == expected
