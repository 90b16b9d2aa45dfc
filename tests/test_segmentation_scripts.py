"""Segmentation through the command lines, from a data set in VOC's layout to test.py's tables."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import models
from tests.scenes import NAMES, write_voc
from tests.scripts import main, refusal
from utils.data.voc.folders import labelled, read_labelled
from utils.images.labels import palette, write_labels
from utils.images.reading import read_image
from utils.images.writing import write_image

CONFIG = {
    "save_dir": "tiny",
    "device": "cpu",
    "network": {
        "name": "pspnet",
        "width": 0.0625,
        "structure": {"blocks": [1, 1, 1, 1], "classes": 3},
    },
    "data": {"dataset": "tiny", "crop": 41, "workers": 0},
    "distill": {"stages": ["layer2", "layer3", "layer4"]},
    "prune": {"min_channels": 2},
    "train": {"epochs": 2, "batch_size": 3, "lr": 0.01},
    "train_prune": {"epochs": 1},
    "train_pruned": {"epochs": 1},
}
pytestmark = pytest.mark.usefixtures("costless")
TRAINED = ("train.py", "train_prune.py", "train_pruned.py")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A working folder in which all the scripts have run."""
    folder = tmp_path_factory.mktemp("place")
    write_voc(folder / "data" / "tiny")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for script in TRAINED:
            main(script, "--config", "tiny.yaml")
    return folder


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


def test_the_whole_path_halves_the_network_and_scores_both(here, capsys):
    result = Path("result/tiny")
    teacher, cut, student = (
        models.load(result / name)
        for name in ("BEST_checkpoint.tar", "pruned.tar", "BEST_pruned.tar")
    )
    assert student.plan == cut.plan and "auxiliary" in cut.plan
    assert sum(cut.plan.values()) == pytest.approx(0.5 * sum(teacher.plan.values()), rel=0.1)
    noted = torch.load(result / "BEST_pruned.tar", weights_only=True)["training"]["scores"]
    assert noted.keys() == {"cross_entropy", "mIoU", "accuracy"}
    main("test.py", "--config", "tiny.yaml", "--json", "last.json")
    lines = capsys.readouterr().out.splitlines()
    for name in NAMES:
        assert any(line.startswith(f"| {name} ") and line.count("|") == 4 for line in lines)
    assert any(line.startswith("| network | mIoU, % | pixel accuracy, % |") for line in lines)
    assert any(line.startswith("| pruned ") for line in lines)
    assert (result / "test" / "pruned.json").read_text() == Path("last.json").read_text()


def test_scores_are_those_of_the_label_maps_that_are_saved(here):
    main("test.py", "--config", "tiny.yaml", "--out", "again")
    scores = json.loads(Path("again/teacher.json").read_text())
    right = total = 0
    union, both = np.zeros(3), np.zeros(3)
    for one in labelled("data/tiny", "val"):
        _, truth = read_labelled(one, 3)
        with Image.open(f"again/teacher/{one.name}.png") as image:
            assert image.mode == "P"
            assert bytes(image.getpalette()[:9]) == palette()[:3].tobytes()
            found = np.array(image)
        known = truth != 255
        right, total = right + (found == truth)[known].sum(), total + known.sum()
        for kind in range(3):
            a, b = (found == kind) & known, truth == kind
            union[kind] += (a | b).sum()
            both[kind] += (a & b).sum()
    assert scores["accuracy"] == pytest.approx(right / total)
    iou = dict(zip(NAMES, both / union, strict=True))
    assert scores["classes"] == pytest.approx(iou)
    assert scores["mIoU"] == pytest.approx(np.mean(both / union))
    assert {row["name"] for row in scores["images"]} == {"val_0", "val_1", "val_2"}
    assert scores["parameters"] > 0 and scores["MACs_224"] > 0
    with Path("again/teacher.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["class", "IoU"] and [row[0] for row in rows[1:]] == list(NAMES)


def test_a_folder_of_pictures_is_labelled_without_a_truth(here):
    network = "result/tiny/BEST_pruned.tar"
    main("test.py", "--network", network, "--label", "data/tiny/VOCdevkit/VOC2012/JPEGImages")
    out = Path("result/test/JPEGImages")
    assert len(list((out / "tiny-BEST_pruned").glob("*.png"))) == 9
    assert not list(out.glob("*.json"))
    assert read_image(out / "sheet.png").shape[0] > 8 * 240


@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("train.py", ("network.structure.classes=21",), "3 classes, but the network tells 21"),
        ("train.py", ("train.batch_size=1",), "in a batch of one picture; train on two or more"),
        ("train.py", ("data.crop=30",), "a picture of 30 x 30 is smaller than the 6 x 6 bins"),
        (
            "train.py",
            ("distill.stages=[encoder2]", "teacher=result/tiny/BEST_checkpoint.tar"),
            "pspnet has no 'encoder2'; it has layer2, layer3, layer4",
        ),
        ("train.py", ("network.pretrained=imagenet",), "leave out network.width"),
        ("test.py", ("--mode", "tile"), "--mode does nothing with segmentation"),
        (
            "test.py",
            ("--network", "large", "--network", "result/tiny/pruned.tar"),
            "pruned is for segmentation, but large for matting; test them one after the other",
        ),
        ("test.py", ("--network", "large", "--label", "data"), "--label: is for segmentation"),
        ("test.py", ("data.dataset=gone",), "gone/VOCdevkit/VOC2012: no such folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(here, script, arguments, told):
    extra = ("save_dir=new",) if script == "train.py" else ()
    assert told in refusal(script, "--config", "tiny.yaml", *extra, *arguments)


def test_pictures_and_labels_that_cannot_be_end_a_test_in_one_line(here, tmp_path):
    network = ("--network", "result/tiny/BEST_pruned.tar")
    small = tmp_path / "pictures" / "small.png"
    write_image(small, np.zeros((20, 60, 3), np.uint8))
    told = refusal("test.py", *network, "--label", small.parent, "--out", tmp_path / "small")
    assert told.startswith(f"{small}: pspnet: a picture of 60 x 20 is smaller than the 6 x 6 bins")
    write_voc(tmp_path / "bad")
    wrong = labelled(tmp_path / "bad", "val")[0].labels
    write_labels(wrong, np.full((48, 56), 9, np.uint8))
    data = ("--config", "tiny.yaml", f"data.root={tmp_path}", "data.dataset=bad")
    words = (*data, "--out", tmp_path / "wrong")
    told = refusal("test.py", *words, *network)
    assert told.startswith(f"{wrong}: label 9 is no class; the set has 0 to 2, and 255 for")


def test_a_set_in_vocs_layout_is_looked_at(here, tmp_path, capsys):
    main("pre_process.py", "--dataset", "tiny")
    assert "6 pictures to train on, 3 to validate on, 3 classes" in capsys.readouterr().out
    main("pre_process.py", "--dataset", "tiny", "--check", "--workers", "0")
    write_voc(tmp_path / "bad")
    write_labels(labelled(tmp_path / "bad", "val")[0].labels, np.full((48, 56), 9, np.uint8))
    check = ("--data-root", tmp_path, "--dataset", "bad", "--check", "--workers", "0")
    assert "1 problems, listed above" in refusal("pre_process.py", *check)
    split = refusal("data_gen.py", "--dataset", "tiny")
    assert split == "data/tiny: its lists split it already; go on with train.py"
    assert "--snap does nothing with a set in VOC" in refusal(
        "pre_process.py", "--dataset", "tiny", "--snap", "5"
    )
