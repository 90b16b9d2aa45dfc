"""Options are refused before the work: too large, idle in a task, or a place that cannot be."""

import shutil
from pathlib import Path

import pytest

import models
from models.files.saving import save_network
from tests.scripts import main, refusal
from tests.sets import write_set, write_test_set

PICTURES = "--image T/image --alpha T/alpha --trimap T/trimap"
SAVED = "test.py --pred T/pred --alpha T/alpha --trimap T/trimap"
NETWORK = f"test.py --network tiny.tar {PICTURES} device=cpu"
BARE = "test.py --network tiny.tar --image T/image --trimap T/trimap"
FIGURE = f"figure.py {PICTURES} --pred T/pred"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("arguments")
    write_test_set(folder / "T")
    for kind, name in (("image", "input"), ("trimap", "trimap1")):  # as of alphamatting.com
        shutil.copytree(folder / "T" / kind, folder / "P" / name)
    write_set(folder / "data" / "set", train=2, test=1)
    save_network(folder / "tiny.tar", models.build("dim", models.scaled_plan("dim", 1 / 32)))
    for name in ("folder", "folder.png"):
        (folder / name).mkdir()
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to("/proc/s.json")
    return folder


@pytest.fixture(autouse=True)
def here(place, tmp_path, monkeypatch) -> None:
    shutil.copytree(place, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def files() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{SAVED} --json folder", "--json folder: is a folder; name a file"),
        (f"{NETWORK} --json file/s.json", "file is no folder; name another"),
        (f"{SAVED} --out file", "--out file: is a file; name a folder"),
        (f"{FIGURE} --out folder.png", "--out folder.png: is a folder; name a file"),
        (f"{FIGURE} --out T/pred/a.png", "--out T/pred/a.png: is read, too, and would be replaced"),
        ("convert.py tiny.tar folder", "OUT folder: is a folder; name a file"),
        ("convert.py tiny.tar tiny.tar", "OUT tiny.tar: is read, too, and would be replaced"),
        ("train.py --sheet folder", "--sheet folder: is a folder; name a file"),
        (f"{NETWORK} --json /proc/new/s.json", "s.json: /proc cannot be written ("),
        (f"{SAVED} --json /dev/null", "--json /dev/null: is a pipe or a device; name a file"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(line, words):
    before = files()
    assert words in refusal(*line.split())
    assert files() == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{SAVED} --mode tile", "--mode does nothing with --pred; leave it out"),
        (f"{SAVED} --worst MSE", "--worst is for a sheet in --out"),
        (f"{BARE} --json s.json", "--json does nothing with --image without --alpha; leave it out"),
        ("test.py --network tiny.tar --set P --json s.json", "nothing with pictures without truth"),
        (f"{NETWORK} --tile 512", "tile goes with tile and auto, not with whole"),
        ("pre_process.py --dataset set --check --snap 5", "--snap does nothing with --check"),
        ("pre_process.py --dataset set --merged --seed 1", "--seed does nothing with --merged"),
        (
            "pre_process.py --dataset a --from T --kind pairs --trimap-radius 1 2",
            "--trimap-radius does nothing with --from",
        ),
        ("pre_process.py --dataset=", "--dataset is empty; name a folder"),
        (f"{FIGURE} --out f.png --picture a --rows 2", "--rows does nothing with --picture"),
        ("figure.py --widths tiny.tar --width 9 --out f.png", "--width does nothing with --widths"),
        ("train.py --sheet s.png --resume", "--resume does nothing with --sheet"),
        ("train_prune.py --pull prune.criterion=uni", "--pull: prune.criterion=uni trains no gate"),
    ],
)
def test_options_that_do_nothing_in_a_task_are_refused(line, words):
    assert words in refusal(*line.split())


HUGE = "9" * 20


@pytest.mark.parametrize(
    "line",
    [
        f"{SAVED} --workers {HUGE}",
        f"{NETWORK} --mode tile --tile {HUGE}",
        f"pre_process.py --dataset set --trimap-radius 1 {HUGE}",
        f"data_gen.py --dataset set --seed {HUGE}",
        f"{FIGURE} --out f.png --width {HUGE}",
        f"{FIGURE} --out f.png --inches nan",
        f"{FIGURE} --out f.png --inset 1,1,{HUGE}",
        "train.py data.crop=1000000",
        "train.py network.width=1e9",
    ],
)
def test_numbers_have_upper_bounds(line):
    assert len(refusal(*line.split())) < 6000


def test_home_is_expanded_where_no_shell_does_it(tmp_path, monkeypatch, capsys, costless):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shutil.move("T", "home/T")
    save_network(Path("home/own.tar"), models.load("tiny.tar"))
    folders = [f"--{name}=~/T/{name}" for name in ("image", "alpha", "trimap")]
    main("test.py", "--network=~/own.tar", *folders, "--out=~/mattes", "device=cpu")
    assert (tmp_path / "home" / "mattes").is_dir() and not Path("~").exists()
    assert f"{tmp_path}/home/mattes" in capsys.readouterr().out
    main("convert.py", "~/own.tar", "~/small.safetensors")
    figure = [one for one in folders if "alpha" not in one]
    main("figure.py", *figure, "--pred=a=~/T/pred", "--pred=b=~/T/alpha", "--out=~/f.png")
    assert Path("home/small.safetensors").exists() and Path("home/f.png").exists()


def test_advised_commands_name_the_data_root_and_the_set(tmp_path, capsys):
    Path("data").rename("my data")
    more = ("--data-root", "my data", "--dataset", "set", "--workers", 0, "--per-foreground", 1)
    main("pre_process.py", *more)
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == "next: python data_gen.py --dataset set --data-root 'my data'"
    config = ("data.root=my data", "data.dataset=set")
    wanted = "run python data_gen.py --dataset set --data-root 'my data' first"
    assert wanted in refusal("train.py", "--sheet", "s.png", *config)
