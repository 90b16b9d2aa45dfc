"""Scores over the unknown region or the whole picture, and trimaps that are made by a rule."""

import json

import numpy as np
import pytest

from tests.scripts import main, refusal
from tests.sets import write_test_set
from utils.images.reading import read_alpha
from utils.images.trimap import make_trimap
from utils.metrics import sad


@pytest.fixture
def folders(tmp_path):
    return write_test_set(tmp_path)


def scored(tmp_path, *arguments) -> dict:
    main("test.py", *arguments, "--json", tmp_path / "s.json")
    return json.loads((tmp_path / "s.json").read_text())


def arrays(folders) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        tuple(read_alpha(folders[kind] / f"{name}.png") for kind in ("pred", "alpha"))
        for name in ("a", "b", "c")
    ]


@pytest.mark.parametrize("exact", [(), ("--float",)])
def test_over_the_whole_picture_every_pixel_counts(folders, tmp_path, capsys, exact):
    arguments = ("--pred", folders["pred"], "--alpha", folders["alpha"], *exact, "--region", "all")
    content = scored(tmp_path, *arguments, "--trimap", folders["trimap"], "--out", tmp_path / "out")
    assert content["region"] == "all"
    for row, (pred, alpha) in zip(content["images"], arrays(folders), strict=True):
        difference = np.abs(pred / 255 - alpha / 255)
        assert row["SAD"] == pytest.approx(difference.sum() / 1000)
        assert row["MSE"] == pytest.approx((difference**2).mean())
    assert "network, whole picture" in capsys.readouterr().out
    assert (tmp_path / "out" / "pred.md").read_text().startswith("| pred, whole picture |")
    assert scored(tmp_path, *arguments)["images"] == content["images"]  # no trimap is needed


def test_trimaps_are_made_by_a_rule_that_is_named(folders, tmp_path, capsys):
    arguments = ("--pred", folders["pred"], "--alpha", folders["alpha"], "--trimap-radius", "3")
    content = scored(tmp_path, *arguments, "--out", tmp_path / "out")
    assert content["trimaps"] == "made from the truth, radius 3"
    assert "trimaps: made from the truth, radius 3" in capsys.readouterr().out
    expected = [sad(pred, alpha, make_trimap(alpha, 3)) for pred, alpha in arrays(folders)]
    assert [row["SAD"] for row in content["images"]] == expected
    wider = scored(tmp_path, *arguments[:-1], "9", "--out", tmp_path / "out")
    assert wider["MSE"] < content["MSE"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--image x --trimap x --trimap-radius 3", "--trimap-radius makes trimaps; leave out"),
        ("--trimap-radius 3", "from the truth; give --alpha"),
        ("--image x --alpha y --trimap-radius 300", "choose one from 1 to 254"),
    ],
)
def test_a_rule_that_makes_no_trimaps_is_refused(arguments, words):
    assert words in refusal("test.py", "--network", "large", *arguments.split(), "device=cpu")
