"""Whole test sets: rows of scores, several processes, sheets, what networks leave."""

import csv
import json
import math

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.files.saving import fingerprint
from tests.sets import TEST_SIZES, write_test_set
from utils.cli.files import folder_lock
from utils.images.reading import read_alpha, read_image
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.infer.inference import Inference
from utils.metrics import sad, score_exact
from utils.score.matting import run_networks
from utils.score.scores import Scores, summary
from utils.score.scoring import Scoring, run_saved, score_matting
from utils.score.sets import match, open_set
from utils.score.sheets import error_map, write_worst

pytestmark = pytest.mark.usefixtures("costless")
CPU = torch.device("cpu")
WHOLE = Inference("whole")
NAMES = list(TEST_SIZES)


@pytest.fixture
def folders(tmp_path):
    return write_test_set(tmp_path / "set")


@pytest.fixture
def pictures(folders):
    return match(folders["image"], folders["alpha"], folders["trimap"])


@pytest.fixture
def saved(folders):
    return match(folders["pred"], folders["alpha"], folders["trimap"], saved=True)


def tiny(width: float = 1 / 32) -> models.Network:
    return models.build("dim", models.scaled_plan("dim", width)).eval()


class Counting:
    """The trimap as a matte; counts how often it was asked."""

    calls = 0

    def __call__(self, image, trimap):
        self.calls += 1
        return trimap


def test_several_processes_score_the_same_rows_in_the_same_order(pictures, tmp_path):
    results = []
    for workers in (0, 2):
        folder = tmp_path / f"mattes{workers}"
        results.append(score_matting("ours", pictures, Counting(), folder, Scoring(workers)))
        assert sorted(file.stem for file in folder.iterdir()) == NAMES
    assert results[0] == results[1]


def test_two_tests_that_write_to_one_folder_at_a_time_are_refused(saved, pictures, tmp_path):
    out = tmp_path / "out"
    with folder_lock(out, "scoring"):
        with pytest.raises(InputError, match="out: another process is scoring here"):
            run_saved(saved, "ours", out)
        with pytest.raises(InputError, match="out: another process is scoring here"):
            run_networks({}, {"": pictures}, CPU, WHOLE, out)
        run_saved(saved, "ours")  # writes nothing


def test_a_wrong_size_is_refused(saved, folders):
    write_image(folders["pred"] / "b.png", np.zeros(TEST_SIZES["b"][::-1], np.uint8))
    with pytest.raises(InputError, match=r"pred/b\.png is 81 x 64, but .*b\.png is 64 x 81; turn"):
        run_saved(saved, "ours")


def test_a_trimap_without_unknown_pixels_is_named(pictures, saved, folders, tmp_path):
    write_image(folders["trimap"] / "a.png", np.full(TEST_SIZES["a"], 255, np.uint8))
    with pytest.raises(InputError, match=r"a\.png: the trimap has no unknown pixels"):
        run_networks({"n": tiny()}, {"": pictures}, CPU, WHOLE, tmp_path / "out")
    with pytest.raises(InputError, match=r"a\.png: the trimap has no unknown pixels"):
        run_saved(saved, "ours")


def test_a_trimap_that_contradicts_its_truth_is_refused(folders, saved):
    path = folders["trimap"] / "b.png"
    trimap = make_trimap(read_alpha(folders["alpha"] / "b.png"), 5)
    write_image(path, np.where(trimap == 128, np.uint8(128), 255 - trimap))
    with pytest.raises(InputError, match=r"trimap/b\.png: 100 % of its known pixels contradict"):
        run_saved(saved, "ours")


def test_float_mattes_are_rounded_unless_they_are_asked_for(folders, tmp_path):
    (tmp_path / "arrays").mkdir()
    for name in NAMES:
        values = read_alpha(folders["alpha"] / f"{name}.png") / 255 * 0.9985
        np.save(tmp_path / "arrays" / f"{name}.npy", values)
    arrays = match(tmp_path / "arrays", folders["alpha"], folders["trimap"], saved=True)
    rounded = run_saved(arrays, "ours", tmp_path / "rounded")
    exact = run_saved(arrays, "ours", tmp_path / "exact", Scoring(exact=True))
    alpha, trimap = (read_alpha(folders[kind] / "c.png") for kind in ("alpha", "trimap"))
    assert rounded.images[-1]["SAD"] == sad(np.rint(255 * values).astype(np.uint8), alpha, trimap)
    assert exact.images[-1] == {"name": "c", **score_exact(values, alpha / 255, trimap)}
    assert exact.images[-1]["SAD"] != rounded.images[-1]["SAD"]
    content = [json.loads((tmp_path / k / "ours.json").read_text()) for k in ("rounded", "exact")]
    assert "float" not in content[0] and content[1]["float"] is True


def test_json_csv_and_markdown_hold_the_means_and_a_row_a_picture(tmp_path):
    rows = [
        {"name": "a", "SAD": 1.0, "MSE": 0.25, "Grad": 2.0, "Conn": 3.0},
        {"name": "b", "SAD": 3.0, "MSE": math.nan, "Grad": 4.0, "Conn": 5.0},
    ]
    Scores("ours", rows, {"parameters": 7}).write(tmp_path)
    content = json.loads((tmp_path / "ours.json").read_text())
    means = {"SAD": 2.0, "MSE": 0.25, "Grad": 3.0, "Conn": 4.0}
    assert {key: content[key] for key in means} == means
    assert content["parameters"] == 7
    assert content["images"][1] == {**rows[1], "MSE": None}
    with (tmp_path / "ours.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["a", "b"]
    assert (tmp_path / "ours.md").read_text() == "| ours | 2.00 | 0.2500 | 3.00 | 4.00 |\n"


def test_a_network_run_writes_mattes_scores_and_a_sheet(folders, pictures, tmp_path):
    torch.manual_seed(0)
    networks, out = {"one": tiny(), "two": tiny(1 / 16)}, tmp_path / "out"
    results = run_networks(networks, {"": pictures}, CPU, WHOLE, out)
    for result in results:
        assert [row["name"] for row in result.images] == NAMES
        for row in result.images:
            matte = read_alpha(out / result.label / f"{row['name']}.png")
            alpha = read_alpha(folders["alpha"] / f"{row['name']}.png")
            assert row["SAD"] == sad(matte, alpha, make_trimap(alpha, 5))
            assert row["MACs"] > 0
        content = json.loads((out / f"{result.label}.json").read_text())
        assert content["mode"] == "whole"
        assert content["network"] == fingerprint(networks[result.label])
    sheet = read_image(out / "sheet.png")
    assert sheet.shape[0] > 3 * 240 and sheet.std() > 20
    text = summary(results)
    assert all(word in text for word in ("one", "two", "SAD", "Conn", "parameters", "ms 320"))


def test_mattes_without_truth_lie_as_their_upload_wants_them(folders, tmp_path):
    root, out = folders["image"].parent, tmp_path / "out"
    folders["image"].rename(root / "input")
    folders["alpha"].rename(tmp_path / "gt")
    for kind in ("trimap1", "trimap2"):
        (root / kind).symlink_to(folders["trimap"])
    assert run_networks({"n": tiny()}, open_set(root), CPU, WHOLE, out) == []
    written = {str(file.relative_to(out / "n")) for file in out.rglob("*.png")}
    assert written == {f"Trimap{k}/{name}.png" for k in (1, 2) for name in NAMES}
    (tmp_path / "gt").rename(root / "gt")
    results = run_networks({"n": tiny()}, open_set(root), CPU, WHOLE, out)
    assert [result.label for result in results] == ["n-Trimap1", "n-Trimap2"]
    assert (out / "n-Trimap2_worst.png").exists() and (out / "sheet-Trimap1.png").exists()


def test_a_matte_that_is_not_finite_is_neither_saved_nor_scored(pictures, tmp_path):
    network, out = tiny(), tmp_path / "out"
    with torch.no_grad():
        next(network.parameters())[0] = torch.nan
    with pytest.raises(InputError, match=r"image/a\.jpg: the network's matte is not finite"):
        run_networks({"nan": network}, {"": pictures}, CPU, WHOLE, out)
    assert not list(out.rglob("*.png"))


def test_the_worst_ten_are_drawn_and_the_worst_comes_first(saved, folders, tmp_path):
    write_image(folders["pred"] / "a.png", np.full(TEST_SIZES["a"], 255, np.uint8))
    rows = run_saved(saved, "ours").images
    mattes = {picture.name: picture.matte for picture in saved}

    def drawn(rows: list[dict]) -> np.ndarray:
        write_worst(tmp_path / "worst.png", Scores("ours", rows), saved, mattes, "SAD")
        return read_image(tmp_path / "worst.png")

    head, cells = slice(28, 28 + 240), 4 * (280 + 6)  # `a` is the widest
    assert (drawn(rows[::-1])[head, :cells] == drawn(rows[:1])[head, :cells]).all()
    assert len(drawn([rows[0] | {"SAD": float(k)} for k in range(12)])) == 28 + 10 * 246


def test_an_error_map_is_black_where_nothing_counts_and_brighter_with_the_error():
    alpha = np.array([[0, 0, 0, 0, 0]], np.uint8)
    matte = np.array([[255, 0, 20, 60, 128]], np.uint8)
    trimap = np.array([[0, 128, 128, 128, 128]], np.uint8)
    brightness = error_map(matte, alpha, trimap).astype(int).sum(axis=2)[0]
    assert brightness[0] == brightness[1] < 10
    assert (np.diff(brightness[1:]) > 0).all()
    assert brightness[4] > 500
