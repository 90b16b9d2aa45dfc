"""Tables that cannot be are refused in one line."""

from pathlib import Path

import pytest
import yaml

from models.errors import InputError
from tests import scripts
from tests.refusals import refused
from tests.tables.stub import TABLE, Engine, Scripts, filled, put
from utils.tables import rows
from utils.tables.rows import BETWEEN
from utils.tables.running import fill


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
        ({"published": {}}, r"published\.of: is missing; add it"),
        (
            {
                "training": {f"a{i}": {f"b{j}": {} for j in range(10)} for i in range(9)},
                "rows": [{}],
            },
            r"rows: \d+ rows, and 10000 are the most; name arms",
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
    with pytest.raises(
        InputError,
        match=r"table\.yaml: no valid YAML \(a stands twice; rename one, line \d+, column",
    ):
        rows.load("table.yaml")


def test_a_missing_teacher_is_told_before_any_work(tabled):
    put(teachers={"big": {"teacher": "nowhere.tar"}}, published=None)
    stub = Scripts()
    with pytest.raises(InputError, match=r"^nowhere\.tar: no teacher there; .*teachers\.big\.teac"):
        filled(stub)
    assert stub.calls == []


def test_a_teacher_may_be_a_shipped_network(tabled):
    put(teachers={"big": {"teacher": "small"}}, published=None, seeds=[0])
    assert filled(Scripts()) == []
    written = Path("result/tables/table/rows/NS/AT/seed0/config.yaml").read_text()
    assert "pretrained/small.safetensors" in written


def test_a_table_of_segmentation_is_refused_before_any_work(tabled):
    put(teachers={"big": {"network": {"name": "pspnet"}}}, published=None)
    stub = Scripts()
    with pytest.raises(InputError, match=r"^table\.yaml: teacher big is for segmentation, and"):
        filled(stub)
    assert stub.calls == []


def test_another_table_of_the_same_name_replaces_nothing(tabled):
    filled(Scripts())
    before = Path("result/tables/table/table.md").read_bytes()
    Path("other").mkdir()
    Path("table.yaml").rename("other/table.yaml")
    Path("other/config.yaml").write_text(Path("config.yaml").read_text())
    line = refused(scripts.main, "tables.py", "--config", "other/table.yaml", "seeds=[7]")
    assert line.startswith("result/tables/table: holds the results of table.yaml; rename other/")
    assert Path("result/tables/table/table.md").read_bytes() == before


def test_overrides_have_the_types_of_the_options_they_set(tabled):
    put(published=None)
    overrides = ("options.save=1",)
    assert "unknown key" in refused(rows.load, "table.yaml", overrides)
    table = rows.load("table.yaml", ["options.data.dataset=646", "teachers.a.train.betas=0.5,0.9"])
    assert table.base["data"]["dataset"] == "646"
    assert table.config.teachers["a"] == {"train": {"betas": (0.5, 0.9)}}


def test_a_table_extends_another_key_by_key_but_has_its_own_teachers(tabled):
    Path("small.yaml").write_text(
        "extends: table.yaml\nseeds: [5]\noptions: {train: {epochs: 9}}\n"
    )
    table = rows.load("small.yaml")
    assert table.config.seeds == (5,) and table.base["train"] == {"epochs": 9}
    assert [row.name for row in table.rows] == [row.name for row in rows.load("table.yaml").rows]
    put(teachers={"big": {}}, published=None)
    own = {"extends": "table.yaml", "teachers": {"other": {}}, "published": None}
    Path("own.yaml").write_text(yaml.safe_dump(own))
    assert list(rows.load("own.yaml").config.teachers) == ["other"]
    Path("third.yaml").write_text("extends: small.yaml\n")
    with pytest.raises(InputError, match=r"third\.yaml: extends small\.yaml, which extends"):
        rows.load("third.yaml")


def test_the_script_ends_with_the_errors_of_its_rows(tabled, monkeypatch):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no"
    script = scripts.load("tables.py")
    monkeypatch.setattr(script, "fill", lambda table, *_: fill(table, Engine(), call=stub))
    line = refused(scripts.main, "tables.py", "--config", "table.yaml")
    assert line.startswith("train_pruned.py: no (see ")
    assert line.endswith("; the same command tries again what went wrong")
    assert BETWEEN.join(("UNI", "none")) not in line


def test_a_pattern_that_no_row_is_like_names_the_rows(tabled):
    line = refused(scripts.main, "tables.py", "--config", "table.yaml", "--rows", "NS / BT")
    assert line == "--rows 'NS / BT': no row is like that; there are UNI / none; NS / none; NS / AT"


def test_rows_side_by_side_have_no_budget_in_milliseconds(tabled):
    prunings = TABLE["pruning"]["criterion"]
    put(pruning={"criterion": prunings | {"NS": {"prune": {"budget": {"milliseconds": 0.5}}}}})
    stub = Scripts()
    with pytest.raises(InputError, match=r"^--jobs 2: NS / none is cut by milliseconds"):
        filled(stub, jobs=2)
    assert stub.calls == []
    assert filled(stub, jobs=2, patterns=["UNI / *"]) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("hours=4", "--slurm: no sbatch here; run this where Slurm is, or leave it out"),
        ("partion=gpu", "--slurm: partion: unknown key; did you mean partition?"),
        ("gpus=many", "--slurm: gpus: input should be a valid integer, not 'many'"),
        ("hours=0", "--slurm: hours: input should be greater than 0, not 0.0"),
        ("gpu", "'gpu' is no override; write section.key=value"),
    ],
)
def test_a_slurm_that_cannot_be_is_refused(tabled, monkeypatch, given, message):
    monkeypatch.setenv("PATH", "")
    arguments = ("--config", "table.yaml", "--slurm", given)
    assert refused(scripts.main, "tables.py", *arguments).startswith(message)
    assert not list(Path("result").rglob("*"))


def test_no_rows_at_once_are_refused(tabled):
    line = refused(scripts.main, "tables.py", "--config", "table.yaml", "--jobs", 0)
    assert line == "--jobs 0: choose 1 or more"
