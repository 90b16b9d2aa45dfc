"""tables.py: what it calls, skips, repeats and tells; the scripts themselves are stubs here."""

import csv
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import yaml

from models.errors import InputError
from tests import scripts
from tests.refusals import refused
from tests.scripts import REPOSITORY
from utils.score.scores import METRICS
from utils.tables import rows, running
from utils.tables.rows import BETWEEN
from utils.tables.running import fill
from utils.tables.written import _number, write

CONFIG = {"device": "cpu", "data": {"dataset": "tiny"}, "train": {"epochs": 1}}
TABLE = {
    "config": "config.yaml",
    "seeds": [0, 1],
    "pruning": {"criterion": {"UNI": {"prune": {"criterion": "uni"}}, "NS": None}},
    "training": {"kind": {"none": {"loss": {"kd": 0.0}}, "AT": {"distill": {"types": ["at"]}}}},
    "rows": [{"criterion": ["UNI"], "kind": ["none"]}, {"criterion": ["NS"]}],
    "published": {"of": "tiny", "rows": {"NS / AT": {"SAD": 9.5, "MACs": 3e9}, "teacher": {}}},
}
OUTCOMES = {
    "train.py": ("checkpoint.tar", "BEST_checkpoint.tar"),
    "train_prune.py": ("checkpoint_prune.tar", "pruned.tar"),
    "train_pruned.py": ("checkpoint_pruned.tar", "BEST_pruned.tar"),
}


class Scripts:
    """Stands for the scripts: writes what they would, and notes what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.words: list[list[str]] = []
        self.fails: dict[str, str | BaseException] = {}

    def __call__(self, script: str, words: list[str], log: Path) -> int:
        config = yaml.safe_load(Path(words[1]).read_text())
        folder = Path("result") / config["save_dir"]
        called = f"{script} {folder.relative_to('result/tables/table')}"
        self.calls.append(called)
        self.words.append(words)
        wrong = self.fails.get(called)
        if script in OUTCOMES:
            for name in OUTCOMES[script][: 1 if wrong else 2]:
                (folder / name).write_text(called)
        if isinstance(wrong, BaseException):
            raise wrong
        if wrong:
            with log.open("a") as said:
                said.write(f"Traceback\n{wrong}\n")
            return 2
        if script == "test.py":
            out = Path(words[words.index("--json") + 1])
            (out.with_suffix("") / "mattes").mkdir(parents=True)
            scores = dict.fromkeys(METRICS, 8.0 + 2 * config.get("seed", 0))
            costs = {"parameters": 1000, "MACs_224": 2e9, "floor": dict.fromkeys(METRICS, 50.0)}
            out.write_text(json.dumps(scores | costs))
        return 0


def timed(run) -> None:
    if run.network != run.teacher:
        (run.folder / running.LATENCY).write_text('{"teacher": 40.0, "network": 10.0}')


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with a config and a table, whose networks are not timed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "_time", timed)
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    put()
    return tmp_path


def put(**changes: object) -> None:
    Path("table.yaml").write_text(yaml.safe_dump(TABLE | changes, sort_keys=False))


def filled(stub: Scripts, *overrides: str) -> list[str]:
    table = rows.load("table.yaml", overrides)
    try:
        return fill(table, lambda: None, stub)
    finally:
        write(table)


def told() -> str:
    return Path("result/tables/table/table.md").read_text()


def line_of(start: str) -> list[str]:
    (found,) = [line for line in told().splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in found.strip("|").split("|")]


# --- what is called -----------------------------------------------------------------------------


def test_the_first_seed_of_each_row_comes_before_the_second_of_any(here):
    stub = Scripts()
    assert filled(stub) == []
    first = [call for call in stub.calls if "seed0" in call]
    assert stub.calls[:2] == ["train.py teachers/teacher", "test.py teachers/teacher"]
    assert stub.calls[2 : 2 + len(first)] == first
    assert first == [
        "train_prune.py pruned/teacher/UNI/seed0",
        "train_pruned.py rows/UNI/none/seed0",
        "test.py rows/UNI/none/seed0",
        "train_prune.py pruned/teacher/NS/seed0",  # once for both rows
        "train_pruned.py rows/NS/none/seed0",
        "test.py rows/NS/none/seed0",
        "train_pruned.py rows/NS/AT/seed0",
        "test.py rows/NS/AT/seed0",
    ]


def test_each_stage_has_the_options_of_its_arms_alone(here):
    filled(Scripts(), "seeds=[3]")
    result = Path("result/tables/table")
    cut = yaml.safe_load((result / "pruned/teacher/UNI/seed3/config.yaml").read_text())
    trained = yaml.safe_load((result / "rows/UNI/none/seed3/config.yaml").read_text())
    assert cut["prune"] == {"criterion": "uni"} and "loss" not in cut
    assert trained["loss"] == {"kd": 0.0} and "prune" not in trained
    assert cut["seed"] == trained["seed"] == 3
    assert cut["teacher"] == str(result / "teachers/teacher/BEST_checkpoint.tar")
    row = result / "rows/UNI/none/seed3/pruned.tar"
    assert row.read_text() == "train_prune.py pruned/teacher/UNI/seed3"


def test_without_a_pruning_stage_a_student_of_fixed_width_is_trained(here):
    put(pruning={}, rows=[{}], seeds=[0], published=None)
    stub = Scripts()
    filled(stub)
    assert [call for call in stub.calls if call.startswith("train")] == [
        "train.py teachers/teacher",
        "train.py rows/none/seed0",
        "train.py rows/AT/seed0",
    ]


def test_what_is_done_is_skipped(here):
    filled(Scripts())
    again = Scripts()
    filled(again)
    assert again.calls == []


def test_a_row_and_a_test_that_are_new_are_all_that_is_done(here):
    filled(Scripts(), "seeds=[0]")
    more = Scripts()
    put(tests={"composed": None, "photos": {"image": "i", "alpha": "a", "trimap": "t"}})
    filled(more, "seeds=[0]")
    assert len(more.calls) == 4 and all(call.startswith("test.py") for call in more.calls)
    assert more.words[0][-6:] == ["--image", "i", "--alpha", "a", "--trimap", "t"]
    assert {file.name for file in Path("result/tables/table").glob("*.md")} == {
        *("table.md", "table-composed.md", "table-photos.md")
    }


def test_rows_of_the_best_follow_the_key(here):
    put(rows=[{"criterion": ["best"], "kind": ["AT"]}], best={"criterion": "UNI"})
    assert [row.name for row in rows.load("table.yaml").rows] == ["UNI / AT"]
    (row,) = rows.load("table.yaml", ["best.criterion=NS"]).rows
    assert row.name == "NS / AT"


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_row_that_crashes_is_that_rows_alone_and_is_tried_again(here):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no memory left"
    errors = filled(stub)
    log = "result/tables/table/rows/NS/none/seed0/log.txt"
    assert errors == [f"train_pruned.py: no memory left (see {log})"]
    assert "test.py rows/NS/AT/seed0" in stub.calls and "test.py rows/NS/none/seed1" in stub.calls
    assert f"- NS / none, seed 0: {errors[0]}" in told()
    (line,) = [line for line in told().splitlines() if "1 of 2, 1 failed" in line]
    assert line.startswith("| NS") and " 10.00 " in line
    again = Scripts()
    assert filled(again) == []
    assert again.calls == [f"{s}.py rows/NS/none/seed0" for s in ("train_pruned", "test")]
    assert again.words[0][-1] == "--resume"
    assert "Went wrong" not in told()


def test_rows_of_a_pruning_that_failed_tell_it_and_call_it_once(here):
    stub = Scripts()
    stub.fails["train_prune.py pruned/teacher/NS/seed0"] = "ValueError: odd"
    errors = filled(stub, "seeds=[0]")
    assert len(errors) == 3 and len(set(errors)) == 1  # the pruning's and those of its two rows
    assert stub.calls.count("train_prune.py pruned/teacher/NS/seed0") == 1
    assert "- NS / AT, seed 0: train_prune.py: ValueError: odd (see" in told()
    assert "test.py rows/UNI/none/seed0" in stub.calls


@pytest.mark.parametrize("validated", [False, True])
def test_without_its_teacher_every_row_tells_why(here, validated):
    """Also where a training that ended too early has left its best network."""
    stub = Scripts()
    if validated:
        best = Path("result/tables/table/teachers/teacher/BEST_checkpoint.tar")
        best.parent.mkdir(parents=True)
        best.touch()
    stub.fails["train.py teachers/teacher"] = "error: no data"
    filled(stub, "seeds=[0]")
    assert stub.calls == ["train.py teachers/teacher"]
    assert "- NS / AT, seed 0: no teacher teacher: train.py: no data" in told()


def test_an_interrupted_table_goes_on_where_it_was(here):
    whole, parts = Scripts(), Scripts()
    parts.fails["train_pruned.py rows/NS/AT/seed0"] = SystemExit(143)
    with pytest.raises(SystemExit):
        filled(parts)
    before = list(parts.calls)
    parts.fails.clear()
    filled(parts)
    assert parts.words[len(before)][-1] == "--resume"
    assert not Path("result/tables/table/rows/NS/AT/seed0/error.txt").exists()
    filled(whole, "config=config.yaml")
    assert whole.calls == []
    assert parts.calls[len(before)] == before[-1]


def test_other_options_are_told_and_nothing_is_replaced(here):
    filled(Scripts())
    put(training={"kind": TABLE["training"]["kind"] | {"AT": {"distill": {"types": ["nst"]}}}})
    stub = Scripts()
    errors = filled(stub)
    assert stub.calls == [] and len(errors) == 2
    assert errors[0].startswith(
        "result/tables/table/rows/NS/AT/seed0: train_pruned was done with other options "
        "(distill.types: ['at'], not ['nst']); restore them, or remove this folder"
    )


def test_a_row_of_another_pruning_is_told(here):
    filled(Scripts())
    Path("result/tables/table/pruned/teacher/NS/seed0/pruned.tar").write_text("another")
    assert all("(pruned: another file)" in error for error in filled(Scripts()))


def test_where_data_lie_and_how_often_it_is_told_may_change(here):
    filled(Scripts())
    stub = Scripts()
    free = ("options.data.root=elsewhere", "options.train.print_every=3", "options.device=auto")
    assert filled(stub, *free) == [] and stub.calls == []


# --- what is told -------------------------------------------------------------------------------


def test_the_table_has_means_spreads_costs_and_what_is_published(here):
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


def test_times_are_told_for_one_time_of_the_teacher(here, monkeypatch):
    def loaded(run):
        factor = 2 if run.seed else 1  # the machine was busy in the second seed
        times = {"teacher": 40.0 * factor, "network": 10.0 * factor}
        if run.seed is not None:
            (run.folder / running.LATENCY).write_text(json.dumps(times))

    monkeypatch.setattr(running, "_time", loaded)
    filled(Scripts())
    assert line_of("UNI")[-3:-2] == ["10.00"] and line_of("teacher")[-3:-2] == ["40.00"]


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
    full = {name for name in names if not name.startswith("sample_")}
    assert names - full == {f"sample_{name}" for name in full}


def test_the_list_tells_what_is_done(here, capsys):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no"
    stub.fails["train_pruned.py rows/NS/AT/seed0"] = SystemExit()
    with pytest.raises(SystemExit):
        filled(stub, "seeds=[0]")
    scripts.main("tables.py", "--config", "table.yaml", "--list")
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "seed0" in line or "seed1" in line
    ]
    states = ["done", "failed", "begun", "to do", "to do", "to do"]
    assert all(f" {state} |" in line for state, line in zip(states, lines, strict=True))


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prunning": {}}, r"table\.yaml: prunning: unknown key; did you mean pruning\?"),
        ({"rows": [{"kind": ["ATT"]}]}, r"table\.yaml: rows: kind has no arm ATT; there are none,"),
        ({"rows": [{"kid": ["AT"]}]}, r"table\.yaml: rows: no axis kid; there are criterion, kind"),
        ({"best": {"kind": "X"}}, r"table\.yaml: best: kind has no arm X"),
        ({"seeds": [1, 1]}, r"table\.yaml: seeds: 1 stands twice"),
        ({"seeds": []}, r"table\.yaml: seeds: too few values"),
        ({"tests": {"p": {"image": "i"}}}, r"tests\.p\.image: goes with alpha and trimap"),
        ({"tests": {"p": {"img": "i"}}}, r"tests\.p\.img: unknown key; did you mean image\?"),
        ({"options": {"seed": 3}}, r"table\.yaml, options: seed: the table sets it; leave it out"),
        (
            {"training": {"kind": {"AT": {"distil": {}}}}, "rows": [{}]},
            r"table\.yaml, training of UNI.*: distil: unknown key; did you mean distill\?",
        ),
        (
            {"training": {"criterion": {"a": {}}}},
            r"table\.yaml: training\.training: .*|table\.yaml: training: criterion is an axis of",
        ),
        (
            {"published": {"of": "x", "rows": {"NS / ATT": {}}}},
            r"published\.rows: no row NS / ATT; write UNI\|NS / none\|AT, or a teacher",
        ),
        ({"config": "nowhere.yaml"}, r"nowhere\.yaml: no such config"),
        ({"training": {"kind": {"a/b": {}}}}, r"table\.yaml: training\.kind\.a/b"),
    ],
)
def test_a_table_that_cannot_be_is_refused_in_one_line(here, changes, message):
    put(**changes)
    with pytest.raises(InputError, match=message) as error:
        rows.load("table.yaml")
    assert "\n" not in str(error.value)


def test_two_arms_of_one_name_are_refused(here):
    with Path("table.yaml").open("a") as file:
        file.write("tests: {a: {}, a: {}}\n")
    with pytest.raises(InputError, match=r"table\.yaml: no valid YAML \(a stands twice"):
        rows.load("table.yaml")


def test_a_missing_teacher_is_told_before_any_work(here):
    put(teachers={"big": {"teacher": "nowhere.tar"}}, published=None)
    stub = Scripts()
    with pytest.raises(InputError, match=r"^nowhere\.tar: no teacher there; .*teachers\.big\.teac"):
        filled(stub)
    assert stub.calls == []


def test_a_table_extends_another_key_by_key(here):
    Path("small.yaml").write_text(
        "extends: table.yaml\nseeds: [5]\noptions: {train: {epochs: 9}}\n"
    )
    table = rows.load("small.yaml")
    assert table.config.seeds == (5,) and table.base["train"] == {"epochs": 9}
    assert [row.name for row in table.rows] == [row.name for row in rows.load("table.yaml").rows]
    Path("third.yaml").write_text("extends: small.yaml\n")
    with pytest.raises(InputError, match=r"third\.yaml: extends small\.yaml, which extends"):
        rows.load("third.yaml")


def test_the_script_ends_with_the_errors_of_its_rows(here, monkeypatch):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no"
    monkeypatch.setattr(running.fill, "__defaults__", (stub,))
    line = refused(scripts.main, "tables.py", "--config", "table.yaml")
    assert line.startswith("train_pruned.py: no (see ")
    assert line.endswith("; the same command tries again what went wrong")
    assert BETWEEN.join(("UNI", "none")) not in line


# --- processes ----------------------------------------------------------------------------------

WAITS = """
import pathlib, signal, sys, time
def end(*_):
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def test_a_signal_ends_the_script_after_it_has_saved(tmp_path, monkeypatch):
    (tmp_path / "waits.py").write_text(WAITS)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def stop() -> None:
        while not (tmp_path / "begun").exists():
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(SystemExit):
            running.call(str(tmp_path / "waits.py"), [str(tmp_path / "begun")], tmp_path / "log")
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert (tmp_path / "log").read_text() == "saved\n"


def test_a_script_that_is_killed_is_told_by_its_signal(tmp_path):
    (tmp_path / "dies.py").write_text("import os\nos.kill(os.getpid(), 9)")
    code = running.call(str(tmp_path / "dies.py"), [], tmp_path / "log")
    assert running._last_word(tmp_path / "log", 0, code) == "ended by signal 9"
