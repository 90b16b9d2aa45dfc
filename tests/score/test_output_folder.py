"""A test writes into its own folder: never beside what it reads, nor over files of others."""

import json
import os
from pathlib import Path

import pytest
import yaml

import models
from models.files.saving import save_network
from tests.scripts import main, refusal
from tests.sets import TEST_SIZES, disc, write_test_set
from utils.config.options import Config
from utils.images.reading import read_alpha
from utils.images.writing import write_image
from utils.score.sets import Folders, default_out

pytestmark = pytest.mark.usefixtures("costless")


@pytest.fixture
def folders(tmp_path, monkeypatch) -> dict[str, Path]:
    """A test set T, and tiny networks `alpha` and `small`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    network = models.build("dim", models.scaled_plan("dim", 1 / 32))
    for name in ("alpha", "small"):
        save_network(tmp_path / f"{name}.safetensors", network)
    return write_test_set(tmp_path / "T")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def network_test(network: str, *more: object, trimap: str = "T/trimap") -> tuple[object, ...]:
    pictures = ("--image", "T/image", "--alpha", "T/alpha", "--trimap", trimap)
    return ("test.py", "--network", f"{network}.safetensors", *pictures, *more, "device=cpu")


def saved_test(pred: str, *more: object) -> tuple[object, ...]:
    truth = ("--alpha", "T/alpha", "--trimap", "T/trimap")
    return ("test.py", "--pred", pred, *truth, "--out", "out", *more)


@pytest.mark.parametrize(("network", "out"), [("alpha", "T"), ("small", "T/image")])
def test_nothing_is_written_beside_what_is_read(folders, network, out):
    before = content(Path("T"))
    told = refusal(*network_test(network, "--out", out))
    assert "is read and lies in it; choose another --out" in told and told.startswith(out)
    assert content(Path("T")) == before


@pytest.mark.parametrize("name", ["small/a.png", "small.json"])
def test_files_of_others_in_the_place_of_results_stay(folders, name):
    (Path("out") / name).parent.mkdir(parents=True)
    (Path("out") / name).write_text("mine")
    path = name.partition("/")[0]
    told = f"out/{path}: was not left by test.py; choose another --out"
    assert told in refusal(*network_test("small", "--out", "out"))
    Path("T/pred").rename("T/small")
    assert told in refusal(*saved_test("T/small"))
    assert content(Path("out")) == {f"out/{name}": b"mine"}


def test_a_test_replaces_what_an_earlier_one_of_that_name_has_left(folders):
    for name in ("A", "B"):
        for path in folders["pred"].iterdir():
            size = read_alpha(path).shape
            write_image(Path(name) / "mattes" / path.name, disc(*size, softness=ord(name)))
    rows = []
    for name in ("A", "B", "A"):
        main(*saved_test(f"{name}/mattes"))
        rows.append(json.loads(Path("out/mattes.json").read_text())["images"])
    assert rows[0] == rows[2] != rows[1]
    main(*saved_test("T/pred"))
    assert {f"out/{name}.json" for name in ("mattes", "pred")} <= content(Path("out")).keys()
    assert list(yaml.safe_load(Path("out/test.yaml").read_text())) == ["mattes", "pred"]


def test_two_kinds_of_trimaps_of_a_set_do_not_collide_by_default(folders):
    for name in ("trimap1", "trimap2"):
        (Path("T") / name).symlink_to(folders["trimap"])
        main(*network_test("small", trimap=f"T/{name}"))
    for name in ("trimap1", "trimap2"):
        assert Path(f"result/test/T-{name}/small.json").is_file()


def test_resume_keeps_mattes_and_scores_them_again(folders):
    resume = network_test("small", "--out", "out", "--resume", "--json", "s.json")
    main(*network_test("small", "--out", "out"))
    first = json.loads(Path("out/small.json").read_text())["images"]
    matte = Path("out/small/b.png")
    write_image(matte, disc(*TEST_SIZES["b"], softness=2))
    kept = matte.read_bytes()
    Path("out/small/c.png").unlink()
    main(*resume)
    again = json.loads(Path("s.json").read_text())["images"]
    assert matte.read_bytes() == kept
    assert [x["name"] for x, y in zip(again, first, strict=True) if x != y] == ["b"]
    os.utime("T/image/b.jpg")  # younger than its matte
    main(*resume)
    assert json.loads(Path("s.json").read_text())["images"] == first


def test_resume_keeps_no_matte_of_another_network_set_or_option(folders):
    main(*network_test("small", "--out", "out"))
    before = Path("out/small/a.png").stat().st_mtime_ns
    (Path("T") / "other").symlink_to("trimap")
    more = ("--resume", "--mode", "tile")
    save_network("small.safetensors", models.build("dim", models.scaled_plan("dim", 1 / 16)))
    for arguments in (
        network_test("small", "--out", "out", "--resume"),
        network_test("small", "--out", "out", *more),
    ):
        main(*arguments)
        after = Path("out/small/a.png").stat().st_mtime_ns
        assert after > before
        main(*arguments)
        before = Path("out/small/a.png").stat().st_mtime_ns
        assert before == after


def test_mattes_of_another_network_are_gone_before_an_interruption(folders, monkeypatch):
    main(*network_test("small", "--out", "out"))
    save_network("small.safetensors", models.build("dim", models.scaled_plan("dim", 1 / 16)))
    monkeypatch.setattr("utils.score.matting.score_matting", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(*network_test("small", "--out", "out"))
    assert not list(Path("out/small").iterdir())


SET = {"image": Path("a/x"), "alpha": Path("a/y"), "trimap": Path("a/z")}


@pytest.mark.parametrize(
    ("options", "out"),
    [
        ({}, "result/mine/test"),
        ({"whole": Path("sets/aim")}, "result/mine/test-aim"),
        ({"whole": Path("sets/aim"), "named": True}, "result/test/aim"),
        (SET, "result/mine/test-a-z"),
        (SET | {"alpha": Path("b/y")}, "result/mine/test-x-z"),
        ({"image": Path("a/x"), "alpha": Path("a/y")}, "result/mine/test-a"),
    ],
)
def test_results_go_to_a_folder_of_their_networks_and_pictures(options, out):
    named = options.pop("named", False)
    assert default_out(Config(save_dir="mine"), Folders(**options), named) == Path(out)
