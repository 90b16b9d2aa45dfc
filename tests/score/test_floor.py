"""The floor of a table: the trimap alone, its unknown region filled by distance."""

import json
import math

import numpy as np
import pytest

from tests.scripts import main
from tests.sets import disc, write_test_set
from utils.images.reading import read_alpha, read_trimap
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.metrics import sad
from utils.score.scores import Scores, summary
from utils.score.scoring import fill_by_distance


@pytest.mark.parametrize(
    ("trimap", "filled"),
    [
        ([0, 128, 128, 128, 255], [0, 64, 128, 191, 255]),
        ([0, 128, 128], [0, 0, 0]),  # what has no other side is that of the one that it has
        ([128, 255], [255, 255]),
        ([128, 128], [128, 128]),
    ],
)
def test_the_unknown_region_is_a_ramp_from_background_to_foreground(trimap, filled):
    assert fill_by_distance(np.uint8([trimap] * 3)).tolist() == 3 * [filled]


def test_it_is_exact_wherever_the_trimap_lies_in_memory():
    trimap = make_trimap(disc(60, 66, softness=5), 6)
    places = [np.argwhere(trimap == level) for level in (0, 255)]
    pixels = np.argwhere(trimap >= 0)
    away = [np.sqrt(((pixels[:, None] - known) ** 2).sum(2).min(1)) for known in places]
    expected = np.rint(255 * away[0] / (away[0] + away[1])).reshape(trimap.shape)
    memory = np.zeros(trimap.size + 64, np.uint8)
    for offset in range(64):
        moved = memory[offset : offset + trimap.size].reshape(trimap.shape)
        moved[:] = trimap
        assert (fill_by_distance(moved) == expected).all()


def test_every_table_of_scores_has_it_and_says_what_does_not_beat_it(tmp_path, capsys):
    folders = write_test_set(tmp_path)
    for file in folders["pred"].iterdir():
        write_image(tmp_path / "black" / file.name, 0 * read_trimap(folders["trimap"] / file.name))
    for name in ("alpha", "black"):
        truth = ("--alpha", folders["alpha"], "--trimap", folders["trimap"])
        main("test.py", "--pred", tmp_path / name, *truth, "--json", tmp_path / "s.json")
        content = json.loads((tmp_path / "s.json").read_text())
        printed = capsys.readouterr().out
        *_, floor, row = printed.splitlines()
        assert floor.startswith("| floor ") and row.startswith(f"| {name}")
        assert f" {content['floor']['SAD']:.2f} |" in floor
        trimaps = [read_trimap(path) for path in sorted(folders["trimap"].iterdir())]
        truths = [read_alpha(path) for path in sorted(folders["alpha"].iterdir())]
        scores = [sad(fill_by_distance(t), a, t) for t, a in zip(trimaps, truths, strict=True)]
        assert content["floor"]["SAD"] == pytest.approx(np.mean(scores))
        assert ("no better than the floor" in row) is (name == "black")
        assert ("black: no better, so nothing was learnt" in printed) is (name == "black")
    assert content["SAD"] > content["floor"]["SAD"]


def test_each_kind_of_trimaps_has_its_own_floor():
    def scores(label, value):
        return Scores(label, [{"name": "a"} | dict.fromkeys(("SAD", "MSE", "Grad", "Conn"), value)])

    results = []
    for kind in ("Trimap1", "Trimap2"):
        for method in ("one", "two"):
            result = scores(f"{method}-{kind}", 1.0)
            result.floor = scores(f"floor-{kind}", 1.5 if kind == "Trimap1" else math.nan)
            results.append(result)
    told, *_ = lines = summary(results).splitlines()
    labels = [line.split(" | ")[0].strip("| ") for line in lines[3:]]
    assert labels == ["floor-Trimap1", "floor-Trimap2", *(result.label for result in results)]
    assert told.startswith("floor: ")
