"""The embedded sample for segmentation: always the same, its labels where its foregrounds are."""

import numpy as np
import pytest

from models.errors import InputError
from utils.data.voc.folders import class_names, labelled, read_labelled
from utils.render import NAMES, SUBJECTS, render_scenes, scene


def test_a_scene_depends_on_seed_and_name_only():
    first, again = scene("scene_0003", 1, 96), scene("scene_0003", 1, 96)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].mean(), scene("scene_0003", 2, 96)[0].mean())


@pytest.mark.parametrize("number", [1, 6, 9])  # kinds that are rendered quickly
def test_the_kind_of_its_foreground_is_in_the_labels(number):
    image, labels = scene(f"scene_{number:04d}", 0, 96)
    assert image.dtype == labels.dtype == np.uint8 and image.shape == (*labels.shape, 3)
    present = set(np.unique(labels).tolist())
    assert 1 + number % len(SUBJECTS) in present and present <= {*range(len(NAMES)), 255}
    assert (labels == 0).mean() > 0.1


def test_the_sample_is_a_set_in_vocs_layout_and_is_kept(tmp_path):
    render_scenes(tmp_path, counts=(3, 1), size=96, progress=False)
    train, val = labelled(tmp_path, "train"), labelled(tmp_path, "val")
    assert [one.name for one in train + val] == [f"scene_{i:04d}" for i in (0, 1, 2, 9000)]
    assert class_names(tmp_path) == NAMES == ("background", *SUBJECTS)
    for one in train + val:
        _, labels = read_labelled(one, len(NAMES))
        assert np.array_equal(labels, scene(one.name, 0, 96)[1])
    before = train[0].image.stat().st_mtime_ns
    render_scenes(tmp_path, counts=(3, 1), size=96, progress=False)
    assert train[0].image.stat().st_mtime_ns == before
    train[0].image.with_name("2007_000032.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"2007_000032\.jpg: is none of the sample"):
        render_scenes(tmp_path, counts=(3, 1), size=96, progress=False)
