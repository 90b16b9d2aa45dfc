"""Tables that cannot be are refused in one line; processes of a table and how they end."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from models.errors import InputError
from tests import scripts
from tests.refusals import refused
from tests.tables import Scripts, filled, put
from utils.tables import rows, running
from utils.tables.rows import BETWEEN


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
def test_a_table_that_cannot_be_is_refused_in_one_line(tabled, changes, message):
    put(**changes)
    with pytest.raises(InputError, match=message) as error:
        rows.load("table.yaml")
    assert "\n" not in str(error.value)


def test_two_arms_of_one_name_are_refused(tabled):
    with Path("table.yaml").open("a") as file:
        file.write("tests: {a: {}, a: {}}\n")
    with pytest.raises(InputError, match=r"table\.yaml: no valid YAML \(a stands twice"):
        rows.load("table.yaml")


def test_a_missing_teacher_is_told_before_any_work(tabled):
    put(teachers={"big": {"teacher": "nowhere.tar"}}, published=None)
    stub = Scripts()
    with pytest.raises(InputError, match=r"^nowhere\.tar: no teacher there; .*teachers\.big\.teac"):
        filled(stub)
    assert stub.calls == []


def test_a_table_extends_another_key_by_key(tabled):
    Path("small.yaml").write_text(
        "extends: table.yaml\nseeds: [5]\noptions: {train: {epochs: 9}}\n"
    )
    table = rows.load("small.yaml")
    assert table.config.seeds == (5,) and table.base["train"] == {"epochs": 9}
    assert [row.name for row in table.rows] == [row.name for row in rows.load("table.yaml").rows]
    Path("third.yaml").write_text("extends: small.yaml\n")
    with pytest.raises(InputError, match=r"third\.yaml: extends small\.yaml, which extends"):
        rows.load("third.yaml")


def test_the_script_ends_with_the_errors_of_its_rows(tabled, monkeypatch):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no"
    monkeypatch.setattr(running.fill, "__defaults__", (stub,))
    line = refused(scripts.main, "tables.py", "--config", "table.yaml")
    assert line.startswith("train_pruned.py: no (see ")
    assert line.endswith("; the same command tries again what went wrong")
    assert BETWEEN.join(("UNI", "none")) not in line


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
