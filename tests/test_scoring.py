"""Whole test sets: several processes, what is kept after an interruption, the worst pictures."""

import json
import os

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.files.saving import fingerprint
from tests.sets import disc, picture
from utils.disk.lock import alone
from utils.images.reading import read_alpha, read_image
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.infer.inference import Inference
from utils.metrics import sad, score_exact
from utils.score.matted import run_networks
from utils.score.pictures import match, match_saved
from utils.score.saved import run_saved
from utils.score.scores import Scores
from utils.score.scoring import Scoring, _Mattes, score_matting
from utils.score.sets import open_set
from utils.score.worst import error_map, write_worst

NAMES = ["a", "b", "c", "d"]
SIZE = (48, 64)
RESUME = Scoring(resume=True)


@pytest.fixture
def folders(tmp_path):
    """image, alpha, trimap and pred of four pictures; d's matte is the worst, then c's."""
    for index, name in enumerate(NAMES):
        alpha = disc(*SIZE, softness=4)
        write_image(tmp_path / "image" / f"{name}.png", picture(index, *SIZE))
        write_image(tmp_path / "alpha" / f"{name}.png", alpha)
        write_image(tmp_path / "trimap" / f"{name}.png", make_trimap(alpha, 5))
        write_image(tmp_path / "pred" / f"{name}.png", disc(*SIZE, softness=4 + 2 * index))
    return {name: tmp_path / name for name in ("image", "alpha", "trimap", "pred")}


@pytest.fixture
def pictures(folders):
    return match(folders["image"], folders["alpha"], folders["trimap"])


@pytest.fixture
def saved(folders):
    return match_saved(folders["pred"], folders["alpha"], folders["trimap"])


class Matting:
    """The trimap as a matte; counts how often it was asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image, trimap):
        self.calls += 1
        return trimap


class Counting(Inference):
    """The trimap as the matte of every network; counts how often it was asked."""

    calls = 0

    def matte(self, network, image, trimap, device):
        self.calls += 1
        return trimap


@pytest.fixture
def again(pictures, tmp_path):
    """Score the pictures once more: how many were matted, and all rows."""

    def run(scoring=RESUME, **settings):
        matting = Matting()
        journal = tmp_path / "out" / "ours.rows.jsonl"
        folder = tmp_path / "out" / "ours"
        rows = score_matting("ours", pictures, matting, folder, settings, scoring, journal)
        return matting.calls, rows

    return run


def test_several_processes_score_the_same_rows_in_the_same_order(saved, pictures, tmp_path):
    alone = run_saved(saved, "ours").images
    assert run_saved(saved, "ours", scoring=Scoring(workers=2)).images == alone
    assert [row["name"] for row in alone] == NAMES

    results = {}
    for workers in (0, 1):
        folder, journal = tmp_path / f"mattes{workers}", tmp_path / f"{workers}.jsonl"
        options = Scoring(workers=workers)
        results[workers] = score_matting("ours", pictures, Matting(), folder, {}, options, journal)
        assert sorted(file.stem for file in folder.iterdir()) == NAMES
    assert results[0] == results[1]


def test_a_network_runs_no_further_ahead_than_it_is_asked(pictures, tmp_path):
    matting = Matting()
    jobs = iter(_Mattes(pictures, matting, tmp_path, exact=False))
    assert matting.calls == 0
    next(jobs)
    assert matting.calls == 1


def test_what_is_whole_is_not_made_again(again, tmp_path):
    assert again()[0] == 4
    calls, rows = again()
    assert calls == 0 and [row["name"] for row in rows] == NAMES
    (tmp_path / "out" / "ours" / "b.png").unlink()
    calls, changed = again()
    assert calls == 1 and changed == rows
    assert again(Scoring())[0] == 4


@pytest.mark.parametrize("kind", ["image", "alpha", "trimap"])
def test_a_picture_whose_files_changed_is_scored_again(again, folders, kind):
    again()
    file = folders[kind] / "c.png"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert again()[0] == 1


def test_a_matte_that_was_overwritten_is_made_again(again, tmp_path):
    _, rows = again()
    write_image(tmp_path / "out" / "ours" / "a.png", np.zeros(SIZE, np.uint8))
    calls, now = again()
    assert calls == 1 and now == rows


def test_rows_of_two_networks_are_never_mixed(again):
    assert again(network="one")[0] == 4
    assert again(network="two")[0] == 4
    assert again(network="two")[0] == 0
    assert again(network="one")[0] == 4


def test_a_line_cut_short_by_a_crash_is_no_row(again, tmp_path):
    _, rows = again()
    journal = tmp_path / "out" / "ours.rows.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    calls, now = again()
    assert calls == 1 and now == rows
    assert len(journal.read_text().splitlines()) == 1 + len(NAMES)


def test_saved_mattes_are_scored_again_only_where_they_changed(saved, folders, tmp_path):
    out = tmp_path / "out"
    before = run_saved(saved, "ours", out)
    write_image(folders["pred"] / "b.png", disc(*SIZE, softness=9))
    after = run_saved(saved, "ours", out, RESUME)
    differ = [x["name"] for x, y in zip(before.images, after.images, strict=True) if x != y]
    assert differ == ["b"]
    assert json.loads((out / "ours.json").read_text())["images"] == after.images


def test_two_tests_that_write_to_one_folder_at_a_time_are_refused(saved, pictures, tmp_path):
    with alone(tmp_path / "out", "scoring"):
        with pytest.raises(InputError, match="out: another process is scoring here"):
            run_saved(saved, "ours", tmp_path / "out")
        with pytest.raises(InputError, match="out: another process is scoring here"):
            run_networks({}, {"": pictures}, torch.device("cpu"), Counting(), tmp_path / "out")
        run_saved(saved, "ours")  # writes nothing


def test_a_wrong_size_is_found_before_anything_is_scored(saved, folders, tmp_path):
    write_image(folders["pred"] / "d.png", np.zeros((64, 48), np.uint8))
    with pytest.raises(InputError, match=r"d\.png is 48 x 64, but .*d\.png is 64 x 48; turn"):
        run_saved(saved, "ours", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_float_mattes_are_rounded_unless_they_are_asked_for(folders, tmp_path):
    values = {}
    for name in NAMES:
        values[name] = read_alpha(folders["alpha"] / f"{name}.png") / 255 * 0.9985
        (tmp_path / "arrays").mkdir(exist_ok=True)
        np.save(tmp_path / "arrays" / f"{name}.npy", values[name])
    arrays = match_saved(tmp_path / "arrays", folders["alpha"], folders["trimap"])
    rounded = run_saved(arrays, "ours", tmp_path / "rounded")
    exact = run_saved(arrays, "ours", tmp_path / "exact", Scoring(exact=True))
    alpha, trimap = (read_alpha(folders[kind] / "a.png") for kind in ("alpha", "trimap"))
    eight = np.rint(255 * values["a"]).astype(np.uint8)
    assert rounded.images[0]["SAD"] == sad(eight, alpha, trimap)
    assert exact.images[0] == {"name": "a", **score_exact(values["a"], alpha / 255, trimap)}
    assert exact.images[0]["SAD"] != rounded.images[0]["SAD"]
    content = [json.loads((tmp_path / k / "ours.json").read_text()) for k in ("rounded", "exact")]
    assert "float" not in content[0] and content[1]["float"] is True
    # Rows of the two are not mixed either.
    again = run_saved(arrays, "ours", tmp_path / "rounded", Scoring(exact=True, resume=True))
    assert again.images == exact.images


def test_a_row_for_a_paper_is_one_line_of_markdown(saved, tmp_path):
    result = run_saved(saved, "ours", tmp_path)
    means = result.means()
    expected = (
        f"{means['SAD']:.2f} | {means['MSE']:.4f} | {means['Grad']:.2f} | {means['Conn']:.2f}"
    )
    assert (tmp_path / "ours.md").read_text() == f"| ours | {expected} |\n"


def test_the_worst_ten_are_drawn_and_the_worst_comes_first(saved, tmp_path):
    result = run_saved(saved, "ours", tmp_path)
    mattes = {picture.name: picture.matte for picture in saved}
    whole = read_image(tmp_path / "ours_worst.png")
    assert whole.shape[0] == 28 + len(NAMES) * 246
    last = Scores("ours", [row for row in result.images if row["name"] == "d"])
    write_worst(tmp_path / "d.png", last, saved, mattes, "SAD")
    top = read_image(tmp_path / "d.png")
    assert (whole[28 : 28 + 240, : top.shape[1]] == top[28 : 28 + 240]).all()
    many = Scores("ours", [{**result.images[0], "SAD": float(k)} for k in range(12)])
    write_worst(tmp_path / "many.png", many, saved, mattes, "SAD")
    assert read_image(tmp_path / "many.png").shape[0] == 28 + 10 * 246


def test_an_error_map_is_black_where_nothing_counts_and_brighter_with_the_error():
    alpha = np.array([[0, 0, 0, 0, 0]], np.uint8)
    matte = np.array([[255, 0, 20, 60, 128]], np.uint8)
    trimap = np.array([[0, 128, 128, 128, 128]], np.uint8)
    brightness = error_map(matte, alpha, trimap).astype(int).sum(axis=2)[0]
    assert brightness[0] == brightness[1] < 10
    assert (np.diff(brightness[1:]) > 0).all()
    assert brightness[4] > 500


def test_networks_have_the_same_fingerprint_only_if_they_compute_the_same():
    plan = models.scaled_plan("dim", 1 / 32)
    one, two = models.build("dim", plan), models.build("dim", plan)
    two.load_state_dict(one.state_dict())
    assert fingerprint(one) == fingerprint(two)
    with torch.no_grad():
        next(two.parameters()).view(-1)[0] += 1e-3
    assert fingerprint(one) != fingerprint(two)


def test_mattes_without_truth_lie_as_their_upload_wants_them(folders, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.networks.cost.milliseconds", lambda networks, side: [1.0])
    root = tmp_path / "benchmark"
    root.mkdir()
    (folders["image"]).rename(root / "input")
    for kind in ("trimap1", "trimap2"):
        (root / kind).symlink_to(folders["trimap"])
    network = models.build("dim", models.scaled_plan("dim", 1 / 32)).eval()
    counting, out = Counting("whole"), tmp_path / "out"

    def run() -> list[Scores]:
        cpu = torch.device("cpu")
        return run_networks({"n": network}, open_set(root), cpu, counting, out, RESUME)

    results = run()
    assert results == [] and counting.calls == 8
    written = {
        str(f.relative_to(tmp_path / "out" / "n")) for f in (tmp_path / "out").rglob("*.png")
    }
    assert written == {f"Trimap{k}/{name}.png" for k in (1, 2) for name in NAMES}

    (folders["alpha"]).rename(root / "gt")
    results = run()
    assert [result.label for result in results] == ["n-Trimap1", "n-Trimap2"]
    assert (out / "n-Trimap2_worst.png").exists() and (out / "sheet-Trimap1.png").exists()
    content = json.loads((out / "n-Trimap1.json").read_text())
    assert content["mode"] == "whole" and content["network"] == fingerprint(network)


def test_a_matte_that_is_not_finite_is_neither_saved_nor_scored(pictures, tmp_path):
    network = models.build("dim", dict.fromkeys(models.build("dim").plan, 4))
    with torch.no_grad():
        next(network.parameters())[0] = torch.nan
    for exact in (False, True):
        with pytest.raises(InputError, match=r"image/a\.png: the network's matte is not finite"):
            run_networks(
                {"nan": network.eval()},
                {"": pictures},
                torch.device("cpu"),
                Inference("whole"),
                tmp_path / "out",
                Scoring(exact=exact),
            )
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("exact", [False, True])
def test_a_trimap_that_contradicts_its_truth_is_refused(folders, saved, exact):
    path = folders["trimap"] / "b.png"
    trimap = make_trimap(disc(*SIZE, softness=4), 5)
    write_image(path, np.where(trimap == 128, np.uint8(128), 255 - trimap))
    with pytest.raises(InputError, match=r"trimap/b\.png: 100 % of its known pixels contradict"):
        run_saved(saved, "ours", scoring=Scoring(exact=exact))
