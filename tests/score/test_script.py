"""test.py: what it scores, writes, prints and refuses."""

import json
from pathlib import Path

import pytest

import models
from models.files.saving import save_network
from tests.reference import metrics
from tests.scripts import main, refusal
from tests.sets import TEST_SIZES, write_test_set
from utils.images.trimap import UNKNOWN
from utils.images.writing import write_image
from utils.score.scores import METRICS

TINY = "--network ../tiny.tar"


pytestmark = pytest.mark.usefixtures("costless")


@pytest.fixture
def folders(tmp_path):
    return write_test_set(tmp_path)


@pytest.fixture
def command(folders, tmp_path, monkeypatch):
    """Run test.py on the pictures, with tiny.tar beside them, in an empty working folder."""
    save_network(tmp_path / "tiny.tar", models.build("dim", models.scaled_plan("dim", 1 / 32)))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments):
        truth = ("--alpha", folders["alpha"], "--trimap", folders["trimap"])
        main("test.py", *arguments, *(() if "--set" in arguments else truth))
        return {str(path) for path in Path().rglob("*") if path.is_file()}

    return run


def test_saved_mattes_leave_scores_where_they_are_told_and_else_nothing(command, folders):
    assert command("--pred", folders["pred"]) == set()
    files = command("--pred", folders["pred"], "--out", "out", "--json", "s.json")
    left = ("pred.json", "pred.csv", "pred.md", "pred_worst.png", "test.yaml")
    assert files == {"s.json", *(f"out/{name}" for name in left)}
    assert Path("out/pred.json").read_text() == Path("s.json").read_text()
    assert len(Path("out/pred.csv").read_text().splitlines()) == 1 + len(TEST_SIZES)


def test_a_set_is_scored_as_it_comes_and_says_so_in_a_line_for_a_paper(command, capsys):
    files = command(
        "--pred", "../pred", "--set", "..", "--out", "out", "--float", "--worst", "Grad"
    )
    assert "out/pred_worst.png" in files
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "float mattes are scored as they are, not rounded to 8 bits"
    assert printed[-1].split() == Path("out/pred.md").read_text().split()
    assert json.loads(Path("out/pred.json").read_text())["float"] is True


def test_a_named_network_on_ones_own_set_writes_under_the_name_of_the_set(command, tmp_path):
    arguments = ("--network", "../tiny.tar", "device=cpu", "--image")
    files = command(*arguments, "../image")
    out = f"result/test/{tmp_path.name}-trimap/"
    assert f"{out}sheet.png" in files and all(file.startswith(out) for file in files)


def test_pictures_without_truth_are_matted(command, tmp_path, capsys):
    network = ("--network", "../tiny.tar", "device=cpu")
    main("test.py", *network, "--image", "../image", "--trimap", "../trimap", "--out", "out")
    assert {f"{path}" for path in Path("out").glob("*/*.png")} == {
        f"out/..-tiny/{name}.png" for name in TEST_SIZES
    }
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "Wrote 3 mattes to out/..-tiny (no ground truth, so no scores)."


def test_a_network_is_scored_in_floats_in_tiles_and_in_half_precision(
    command, folders, capsys, caplog
):
    caplog.set_level("INFO")
    one = ("--network", "../tiny.tar", "--image", folders["image"], "device=cpu")
    rows = {}
    for name, more in {
        "plain": (),
        "float": ("--float",),
        "tiled": ("--mode", "tile", "--float"),
        "half": ("--precision", "bfloat16"),
    }.items():
        command(*one, "--json", f"{name}.json", "--out", name, *more)
        rows[name] = json.loads(Path(f"{name}.json").read_text())
    assert rows["float"]["float"] is True and "float" not in rows["plain"]
    assert rows["tiled"]["mode"] == "tile" and rows["tiled"]["halo"] == models.build("dim").radius
    assert "halo" not in rows["plain"]
    assert 0 < abs(rows["float"]["SAD"] - rows["plain"]["SAD"]) < 0.01
    assert rows["tiled"]["SAD"] == pytest.approx(rows["float"]["SAD"], rel=0.01)
    assert caplog.text.count("in float32, ") == 1 and "in bfloat16" in caplog.text
    assert capsys.readouterr().out.count("scored as they are") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--config none.yaml", "none.yaml: no such config"),
        ("save_dir=new", "result/new: neither BEST_checkpoint.tar nor BEST_pruned.tar; train"),
        ("--network nothing.tar", "nothing.tar: no such checkpoint"),
        (f"{TINY} --alpha ../alpha", "give all three"),
        ("--pred ../pred", "--alpha and --trimap go with --image or --pred"),
        (f"{TINY} data.dataset=new", "data/new/test/composed: no test set"),
        (f"{TINY} --set .. --layout aim", "looked for original"),
        (f"{TINY} --set .. --image ../image", "--set has its own"),
        (f"{TINY} --set .. --halo 9", "halo goes with tile and auto"),
        (f"{TINY} --set .. --mode tile --halo some", "halo: 'some' is none; give pixels, or full"),
        (f"{TINY} --set .. --precision float16", "--precision: float16 needs a GPU"),
        (f"{TINY} --pred ../pred --set ..", "test.py: --pred takes no network; leave out"),
        ("--pred ../pred --set .. --label ../image", "test.py: --label does nothing with --pred"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(command, arguments, words):
    assert words in refusal("test.py", *arguments.split(), "device=cpu")
    assert not list(Path().iterdir())


def test_saved_mattes_score_as_matlab_scores_them(tmp_path):
    cases = {name: case for name, case in metrics().items() if (case["trimap"] == UNKNOWN).any()}
    assert len(cases) == 11  # the twelfth has nothing to score
    for name, case in cases.items():
        for kind in ("pred", "alpha", "trimap"):
            write_image(tmp_path / kind / f"{name}.png", case[kind])
    folders = [
        one for kind in ("pred", "alpha", "trimap") for one in (f"--{kind}", tmp_path / kind)
    ]
    main("test.py", *folders, "--json", tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text())
    assert [row["name"] for row in content["images"]] == sorted(cases)
    for row in content["images"]:
        expected = {metric: cases[row["name"]][metric] for metric in METRICS}
        assert {metric: row[metric] for metric in METRICS} == pytest.approx(expected, rel=1e-5)
