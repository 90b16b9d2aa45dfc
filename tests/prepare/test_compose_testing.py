"""Test sets are composed in order, resumed, and the same whatever the number of workers."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import refusals
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import compose_test_set
from utils.data.folders import backgrounds
from utils.images.reading import read_alpha, read_image, read_trimap
from utils.images.trimap import make_trimap
from utils.images.writing import write_image


@pytest.fixture
def root(tmp_path) -> Path:
    """Two foregrounds of different size, three backgrounds, one of them too small."""
    rng = np.random.default_rng(0)
    root = tmp_path / "mine"
    for name, (height, width) in (("cat", (40, 50)), ("dog", (31, 27))):
        alpha = np.zeros((height, width), np.uint8)
        alpha[8:-8, 8:-8] = 255
        alpha[8:-8, 8:11] = (60, 120, 200)
        fg = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        write_image(root / "test" / "fg" / f"{name}.png", fg)
        write_image(root / "test" / "alpha" / f"{name}.png", alpha)
    for name, size in (("1", 60), ("2", 20), ("3", 70)):
        bg = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        write_image(root / "test" / "bg" / f"{name}.png", bg)
    return root


def run(root: Path, **options) -> dict[str, bytes]:
    """Compose; {kind/name: content} of everything that was written."""
    folder = compose_test_set(root, backgrounds(root, "test"), **{"per_foreground": 2, **options})
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*.png"))
    }


def refused(root: Path, **options) -> str:
    return refusals.refused(run, root, **options)


def test_each_foreground_takes_the_next_backgrounds_and_cycles(root):
    files = run(root)
    names = ["cat_0", "cat_1", "dog_0", "dog_1"]
    assert sorted(files) == sorted(
        f"{kind}/{name}.png" for kind in ("image", "alpha", "trimap") for name in names
    )
    composed = root / "test" / "composed"
    for name, background in zip(names, ("1", "2", "3", "1"), strict=True):
        fg = read_image(root / "test" / "fg" / f"{name[:3]}.png")
        alpha = read_alpha(root / "test" / "alpha" / f"{name[:3]}.png")
        bg = fit_background(read_image(root / "test" / "bg" / f"{background}.png"), *alpha.shape)
        assert np.array_equal(
            read_image(composed / "image" / f"{name}.png"), compose(fg, alpha, bg)
        )
        assert np.array_equal(read_alpha(composed / "alpha" / f"{name}.png"), alpha)


def test_made_trimaps_have_a_radius_from_the_range_drawn_for_each(root):
    run(root, per_foreground=8, radius=(2, 6))
    alpha = read_alpha(root / "test" / "alpha" / "cat.png")
    candidates = {radius: make_trimap(alpha, radius) for radius in range(2, 7)}
    found = []
    for k in range(8):
        trimap = read_trimap(root / "test" / "composed" / "trimap" / f"cat_{k}.png")
        found += [r for r, candidate in candidates.items() if np.array_equal(candidate, trimap)]
    assert len(found) == 8 and len(set(found)) > 2


def test_result_depends_on_the_seed_but_not_on_workers(root):
    alone = run(root)
    other = run(root, seed=1)
    assert alone != other
    assert run(root, workers=2) == alone


def test_trimaps_that_the_set_brings_are_taken(root):
    one, both = np.full((40, 50), 128, np.uint8), np.full((31, 27), 128, np.uint8)
    one[:5], both[:3] = 0, 0
    write_image(root / "test" / "trimap" / "cat_1.png", one)
    write_image(root / "test" / "trimap" / "dog.png", both)
    run(root)
    folder = root / "test" / "composed" / "trimap"
    assert np.array_equal(read_trimap(folder / "cat_1.png"), one)
    assert not np.array_equal(read_trimap(folder / "cat_0.png"), one)
    assert np.array_equal(read_trimap(folder / "dog_0.png"), both)
    assert np.array_equal(read_trimap(folder / "dog_1.png"), both)


def test_what_is_there_stays_and_what_is_missing_is_made(root):
    before = run(root)
    folder = root / "test" / "composed" / "image"
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "dog_1.png").unlink()
    assert run(root) == before
    kept = {path for path, stamp in stamps.items() if path.stat().st_mtime_ns == stamp}
    assert kept == set(stamps) - {folder / "dog_1.png"}
    fewer = run(root, per_foreground=1)
    assert set(fewer) == {name for name in before if "_0" in name}
    assert run(root) == before


@pytest.mark.parametrize("source", ["fg/dog.png", "bg/3.png", "trimap/dog_0.png"])
def test_a_source_that_is_replaced_is_composed_again_once_whatever_its_date(root, source):
    trimap = np.full((31, 27), 128, np.uint8)
    write_image(root / "test/trimap/dog_0.png", trimap)
    before, composed = run(root), root / "test/composed"
    path = root / "test" / source
    trimap[0] = 0
    write_image(path, trimap if "trimap" in source else 255 - read_image(path))
    os.utime(path, (1, 1))
    after = run(root)
    assert "dog_0" in {Path(name).stem for name in before if before[name] != after[name]}
    stamps = {name: (composed / name).stat().st_mtime_ns for name in after}
    assert run(root) == after
    assert stamps == {name: (composed / name).stat().st_mtime_ns for name in after}


def test_sizes_that_differ_and_trimaps_that_do_not_fit_are_refused(root):
    write_image(root / "test/trimap/cow.png", np.full((31, 27), 128, np.uint8))
    assert "trimap/cow.png: belongs to no foreground" in refused(root)
    shutil.rmtree(root / "test/trimap")
    path, alpha = root / "test/trimap/dog.png", read_alpha(root / "test/alpha/dog.png")
    trimap = make_trimap(alpha, 2)
    for wrong, words in (
        (np.full((30, 27), 128, np.uint8), "trimap/dog.png is 27 x 30"),
        (np.full((31, 27), 255, np.uint8), "no unknown pixels"),
        (np.where(trimap == 128, trimap, 255 - trimap), "dog.png: 100 % of its known pixels"),
    ):
        write_image(path, wrong)
        assert words in refused(root)
    shutil.rmtree(root / "test/trimap")
    write_image(root / "test" / "alpha" / "cat.png", np.full((40, 51), 99, np.uint8))
    message = refused(root)
    assert "fg/cat.png is 50 x 40" in message and "alpha/cat.png is 51 x 40" in message
