"""Scoring: matching files, JSON and CSV, mattes and sheets, what a network costs."""

import csv
import json
import math

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from tests.sets import TEST_SIZES, disc, picture, write_test_set
from utils.cli.table import table
from utils.figures.sheet import write_sheet
from utils.images.reading import read_alpha, read_image
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.infer.inference import Inference
from utils.metrics import mse, sad
from utils.networks.cost import milliseconds
from utils.networks.device import without_tf32
from utils.score.matted import run_networks
from utils.score.pictures import match, match_saved
from utils.score.saved import run_saved
from utils.score.scores import Scores, summary

WHOLE = Inference("whole")


@pytest.fixture
def folders(tmp_path):
    return write_test_set(tmp_path)


def matched(folders):
    return match(folders["image"], folders["alpha"], folders["trimap"])


def saved(folders):
    return match_saved(folders["pred"], folders["alpha"], folders["trimap"])


def test_files_are_matched_by_name_whatever_their_suffix(folders):
    assert [p.name for p in matched(folders)] == list(TEST_SIZES)
    assert matched(folders)[0].image.suffix == ".jpg"


@pytest.mark.parametrize("folder", ["alpha", "trimap"])
def test_a_picture_without_matte_or_trimap_is_named(folders, folder):
    (folders[folder] / "b.png").unlink()
    with pytest.raises(InputError, match=rf"b\.jpg: no file of the same name in .*{folder};"):
        matched(folders)


@pytest.mark.parametrize("kind", ["image", "pred"])
def test_a_set_does_not_become_smaller_unseen(folders, kind, caplog):
    files = saved if kind == "pred" else matched
    (one,) = folders[kind].glob("b.*")
    one.rename(one.with_suffix(".jfif"))
    with pytest.raises(InputError, match=r"b\.jfif: \.jfif is not read here.*and 2 more"):
        files(folders)
    assert all(f"{folders[name] / 'b.png'}: no file" in caplog.text for name in ("alpha", "trimap"))
    one.with_suffix(".jfif").unlink()
    with pytest.raises(InputError, match=r"alpha/b\.png: no file of the same name in "):
        files(folders)


def test_saved_mattes_are_scored_row_by_row(folders):
    rows = run_saved(saved(folders), "ours").images
    pred, alpha = (read_alpha(folders[name] / "b.png") for name in ("pred", "alpha"))
    trimap = make_trimap(alpha, 5)
    assert rows[1]["name"] == "b"
    assert rows[1]["SAD"] == sad(pred, alpha, trimap)
    assert rows[1]["MSE"] == mse(pred, alpha, trimap)


def test_a_matte_of_another_size_names_both_files(folders):
    write_image(folders["pred"] / "c.png", np.zeros((50, 51), np.uint8))
    with pytest.raises(InputError, match=r"c\.png is 51 x 50, but .*alpha.*c\.png is 50 x 50"):
        run_saved(saved(folders), "ours")


def test_a_trimap_without_unknown_pixels_is_named(folders, tmp_path):
    write_image(folders["trimap"] / "a.png", np.full(TEST_SIZES["a"], 255, np.uint8))
    network = models.build("dim", models.scaled_plan("dim", 1 / 32)).eval()
    with pytest.raises(InputError, match=r"a\.png: the trimap has no unknown pixels"):
        run_networks({"n": network}, {"": matched(folders)}, torch.device("cpu"), WHOLE, tmp_path)
    with pytest.raises(InputError, match=r"a\.png: the trimap has no unknown pixels"):
        run_saved(saved(folders), "ours")


def test_json_and_csv_hold_the_means_and_a_row_a_picture(tmp_path):
    rows = [
        {"name": "a", "SAD": 1.0, "MSE": 0.25, "Grad": 2.0, "Conn": 3.0},
        {"name": "b", "SAD": 3.0, "MSE": math.nan, "Grad": 4.0, "Conn": 5.0},
    ]
    scores = Scores("ours", rows, {"parameters": 7})
    scores.write_json(tmp_path / "s.json")
    scores.write_csv(tmp_path / "s.csv")
    content = json.loads((tmp_path / "s.json").read_text())
    assert {key: content[key] for key in ("SAD", "MSE", "Grad", "Conn")} == {
        "SAD": 2.0,
        "MSE": 0.25,
        "Grad": 3.0,
        "Conn": 4.0,
    }
    assert content["parameters"] == 7
    assert content["images"][1] == {**rows[1], "MSE": None}
    with (tmp_path / "s.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["a", "b"]


def test_a_network_run_writes_mattes_scores_and_a_sheet(folders, tmp_path):
    torch.manual_seed(0)
    plans = {"one": 1 / 32, "two": 1 / 16}
    networks = {
        label: models.build("dim", models.scaled_plan("dim", width)).eval()
        for label, width in plans.items()
    }
    out = tmp_path / "out"
    results = run_networks(networks, {"": matched(folders)}, torch.device("cpu"), WHOLE, out)
    for result in results:
        assert [row["name"] for row in result.images] == list(TEST_SIZES)
        for row in result.images:
            matte = read_alpha(out / result.label / f"{row['name']}.png")
            alpha = read_alpha(folders["alpha"] / f"{row['name']}.png")
            assert row["SAD"] == sad(matte, alpha, make_trimap(alpha, 5))
            assert row["MACs"] > 0
    sheet = read_image(out / "sheet.png")
    assert sheet.shape[0] > 3 * 240 and sheet.std() > 20
    text = summary(results)
    assert all(word in text for word in ("one", "two", "SAD", "Conn", "parameters", "ms 320"))


def test_known_pixels_of_a_matte_are_exactly_0_and_255():
    network = models.build("dim", models.scaled_plan("dim", 1 / 32)).eval()
    trimap = make_trimap(disc(60, 70), 3)
    matte = WHOLE.matte(network, picture(0, 60, 70), trimap, torch.device("cpu"))
    assert matte.dtype == np.uint8
    assert (matte[trimap == 0] == 0).all() and (matte[trimap == 255] == 255).all()
    assert len(np.unique(matte[trimap == 128])) > 1


def test_float32_is_never_tf32_and_the_switches_come_back():
    def switches():
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    network = models.build("dim", models.scaled_plan("dim", 1 / 32)).eval()
    seen = set()
    network.register_forward_pre_hook(lambda *_: seen.add(switches()))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert switches() == (True, True)
        trimap = make_trimap(disc(40, 40), 3)
        WHOLE.matte(network, picture(0, 40, 40), trimap, torch.device("cpu"))
        milliseconds([network], side=32, runs=1)
        with pytest.raises(KeyError), without_tf32():
            raise KeyError
        assert seen == {(False, False)}
        assert switches() == (True, True)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_sheet_has_a_row_a_picture_and_a_column_a_method(tmp_path):
    white, black = np.full((50, 50), 255, np.uint8), np.zeros((50, 50, 3), np.uint8)
    write_sheet(tmp_path / "sheet.png", {"w": [white, white], "b": [black, black]})
    sheet = read_image(tmp_path / "sheet.png")
    assert sheet.shape == (28 + 2 * (240 + 6), 2 * (240 + 6), 3)
    assert (sheet[150, 10] == 255).all() and (sheet[150, 300] == 0).all()


def test_a_table_is_aligned_markdown():
    assert table(("network", "SAD"), [("dim", 1.5), ("long name", 10)]).splitlines() == [
        "| network   | SAD |",
        "| --------- | --: |",
        "| dim       | 1.5 |",
        "| long name |  10 |",
    ]
