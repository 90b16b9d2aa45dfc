"""What a table tells: means, spreads, costs, published values, and what is done."""

import csv
import json
from pathlib import Path

import pytest

from tests import scripts
from tests.scripts import REPOSITORY
from tests.tables.stub import Scripts, filled, line_of, put, told
from utils.tables import rows
from utils.tables.report import _number, _points
from utils.tables.results import Line, Time, add_times, collect
from utils.tables.steps import LATENCY


def test_the_table_has_means_spreads_costs_and_what_is_published(tabled):
    filled(Scripts())
    head = line_of("criterion")
    lines = [line for line in told().splitlines() if line.startswith("| NS ")]
    row = dict(zip(head, [c.strip() for c in lines[1].strip("|").split("|")], strict=True))
    assert row["kind"] == "AT" and row["seeds"] == "2 of 2"
    assert row["SAD"] == "9.00 ± 1.41"  # of 8 and 10, n - 1
    assert (row["parameters"], row["MACs 224"], row["ms 320"]) == ("0.00100 M", "2.00 G", "10.00")
    assert (row["published SAD"], row["published MACs"]) == ("9.50", "3.00 G")
    assert line_of("the trimap alone")[3] == "50.00"
    assert line_of("teacher")[3] == "8.00"
    with Path("result/tables/table/table.csv").open() as file:
        (found,) = [one for one in csv.DictReader(file) if one["row"] == "NS / AT"]
    assert float(found["SAD spread"]) == pytest.approx(2**0.5)
    assert found["published SAD"] == "9.5"
    seeds = Path("result/tables/table/table-seeds.csv").read_text().splitlines()
    assert len(seeds) == 1 + 1 + 2 * 3
    for cost in ("MACs", "parameters", "milliseconds"):
        assert Path(f"result/tables/table/table-{cost}.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("value", "mean", "spread", "cell"),
    [
        ("parameters", 25_582_595, 0.0, "25.6 M"),
        ("parameters", 20_400, 605.0, "0.0204 ± 0.0006 M"),
        ("MACs", 12.53e9, 0.2e9, "12.5 ± 0.2 G"),
        ("MACs", 59.6e6, 9e4, "0.0596 ± 0.0001 G"),
        ("MSE", 0.2373, 0.0102, "0.2373 ± 0.0102"),
        ("SAD", 73.67, None, "73.67"),
        ("SAD", None, None, ""),
    ],
)
def test_a_mean_and_its_spread_have_one_unit(value, mean, spread, cell):
    assert _number(value, mean, spread) == cell


def test_times_are_told_for_one_time_of_the_teacher(tabled, monkeypatch):
    def loaded(run):
        factor = 2 if run.seed else 1  # the machine was busy in the second seed
        times = {"teacher": 40.0 * factor, "network": 10.0 * factor}
        if run.seed is not None:
            (run.folder / LATENCY).write_text(json.dumps(times))

    monkeypatch.setattr("utils.tables.work.take_time", loaded)
    filled(Scripts())
    assert line_of("UNI")[-1] == "10.00" and line_of("teacher")[-1] == "40.00"


def test_times_of_two_teachers_are_told_apart():
    teachers = {Path(name): Line(name, (), 0) for name in "ab"}
    rows = [{}, {}]
    times = [Time(10.0, 40.0, Path("a"), rows[0]), Time(10.0, 20.0, Path("b"), rows[1])]
    add_times(times, teachers)
    assert [row["milliseconds"] for row in rows] == [10.0, 10.0]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs/tables").glob("*.yaml")))
def test_each_shipped_table_lists_its_rows_and_runs_nothing(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scripts.main("tables.py", "--config", path, "--list")
    told = capsys.readouterr().out
    table = rows.load(path)
    for row in table.rows:
        assert told.count(f"| {row.name} ") == len(table.config.seeds)
    assert "to do" in told and not list(tmp_path.iterdir())


def test_each_shipped_table_has_a_small_one():
    names = {path.name for path in (REPOSITORY / "configs/tables").glob("*.yaml")}
    small = {name for name in names if name.startswith("sample_")}
    full = {name for name in names - small if not name.endswith(("_short.yaml", "_longer.yaml"))}
    assert small == {f"sample_{name}" for name in full}


def test_the_list_tells_what_is_done(tabled, capsys):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no"
    stub.fails["train_pruned.py rows/NS/AT/seed0"] = SystemExit()
    with pytest.raises(SystemExit):
        filled(stub, "seeds=[0]")
    scripts.main("tables.py", "--config", "table.yaml", "--list")
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "seed0" in line or "seed1" in line
    ]
    states = ["done", "done", "done", "failed", "begun", *["to do"] * 5]
    assert all(f" {state} |" in line for state, line in zip(states, lines, strict=True))


def test_rows_of_several_blocks_stand_in_the_order_of_their_arms(tabled):
    blocks = [{"kind": ["none"]}, {"criterion": ["NS"], "kind": ["AT"]}, {"kind": ["AT"]}]
    put(rows=blocks)
    filled(Scripts(), "seeds=[0]")
    rows_told = [line.split("|")[1:3] for line in told().splitlines() if line.startswith("| ")]
    assert [" ".join(cells).split() for cells in rows_told[-4:]] == [
        *(["UNI", "none"], ["UNI", "AT"], ["NS", "none"], ["NS", "AT"])
    ]


def test_colours_are_of_the_last_axis_in_which_rows_differ(tabled):
    put(rows=[{"kind": ["AT"]}], published=None)
    table = rows.load("table.yaml")
    filled(Scripts())
    lines, _ = collect(table, "composed")
    assert [point.group for point in _points(table, lines, "MACs", 1e9)] == ["", "UNI", "NS"]
