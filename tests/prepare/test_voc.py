"""VOC's layout: lists, label maps, crops, the augmented list, and what is wrong in one line."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.refusals import refused
from tests.scenes import NAMES, write_voc
from utils import config as configs
from utils.data.check import check_labelled
from utils.data.crops.view import sample_view
from utils.data.voc.folders import INSIDE, VOC, class_names, labelled
from utils.data.voc.samples import LabelSources, crop_view
from utils.images.labels import coloured, read_labels, write_labels
from utils.images.reading import read_image


@pytest.fixture
def root(tmp_path):
    return write_voc(tmp_path / "tiny")


def sources(root, *overrides):
    place = (f"data.root={root.parent}", f"data.dataset={root.name}", "data.crop=40")
    return LabelSources(configs.load(None, [*place, *overrides]))


def test_torchvision_reads_the_same_pictures(root):
    datasets = pytest.importorskip("torchvision.datasets")
    theirs = datasets.VOCSegmentation(str(root), year="2012", image_set="train")
    ours = labelled(root, "train")
    assert len(theirs) == len(ours) == 6
    for (image, labels), one in zip(theirs, ours, strict=True):
        assert (np.array(labels) == read_labels(one.labels, 3)).all()
        assert (np.array(image) == read_image(one.image)).all()


def test_a_label_map_is_read_as_it_was_written(tmp_path):
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8) % 21
    write_labels(tmp_path / "a.png", labels)
    assert (read_labels(tmp_path / "a.png", 21) == labels).all()
    shown = cv2.cvtColor(cv2.imread(str(tmp_path / "a.png")), cv2.COLOR_BGR2RGB)
    assert (shown == coloured(labels)).all()
    Image.fromarray(labels).save(tmp_path / "grey.png")
    assert (read_labels(tmp_path / "grey.png", 21) == labels).all()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (np.full((4, 4), 21, np.uint8), "label 21 is no class; the set has 0 to 20, and 255"),
        (np.zeros((4, 4, 3), np.uint8), "its pixels are RGB; save label maps as palette or grey"),
        (b"no picture", "not a whole picture"),
        (None, "no such file"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, content, told):
    path = tmp_path / "a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        Image.fromarray(content).save(path)
    assert f"{path}: {told}" in refused(read_labels, path, 21)


def test_the_set_names_its_classes_or_has_vocs(root):
    assert class_names(root) == NAMES
    (root / INSIDE / "classes.txt").unlink()
    assert class_names(root) == VOC and len(VOC) == 21


@pytest.mark.parametrize("form", ["{0}", "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png"])
def test_the_augmented_list_is_taken_where_it_is(root, form):
    folder = root / INSIDE
    (folder / "SegmentationClass").rename(folder / "SegmentationClassAug")
    (folder / "SegmentationClass").mkdir()
    lists = folder / "ImageSets" / "Segmentation"
    lines = [form.format(name) for name in ("val_2", "train_1")]
    lists.joinpath("train_aug.txt").write_text("\n\n".join(lines))
    found = labelled(root, "train")
    assert [one.name for one in found] == ["val_2", "train_1"]
    assert {one.labels.parent.name for one in found} == {"SegmentationClassAug"}


def test_pictures_that_are_trained_on_and_validated_on_are_told(root):
    folder = root / INSIDE
    assert check_labelled(root) == []
    for kind, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        shutil.copy(folder / kind / f"train_0.{suffix}", folder / kind / f"val_0.{suffix}")
    lists = folder / "ImageSets" / "Segmentation" / "val.txt"
    lists.write_text("val_0\nval_1\ntrain_1\n")
    told = check_labelled(root)
    assert len(told) == 2
    assert "JPEGImages/train_1.jpg: it is trained on, too" in told[0]
    assert "JPEGImages/val_0.jpg: the same picture, " in told[1] and "train_0.jpg" in told[1]


def test_what_the_lists_do_not_find_is_told_in_one_line(root, tmp_path):
    lists = root / INSIDE / "ImageSets" / "Segmentation"
    (root / INSIDE / "JPEGImages" / "val_1.jpg").unlink()
    told = refused(labelled, root, "val")
    assert told.startswith(f"{lists / 'val.txt'}: lists val_1, but there is no ")
    (lists / "val.txt").unlink()
    assert f"{lists / 'val.txt'}: no such list; unpack VOCtrainval" in refused(
        labelled, root, "val"
    )
    assert "VOC2012: no such folder; unpack" in refused(labelled, tmp_path / "gone", "val")


def test_samples_are_drawn_from_seed_epoch_and_index_alone(root):
    found = sources(root).samples("train")
    one, again, other = found[0, 1].sample, found[0, 1].sample, found[1, 1].sample
    assert one.image.shape == (3, 40, 40) and one.labels.shape == (1, 40, 40)
    assert torch.equal(one.image, again.image) and torch.equal(one.labels, again.labels)
    assert not torch.equal(one.image, other.image)


def test_labels_stay_on_what_they_label(root):
    """Squares are bright where their label is 1 and dark where it is 2, however they are bent."""
    found = sources(root, "augment.rotate=180", "augment.jitter=0").samples("train")
    seen = set()
    for epoch in range(4):
        for index in range(len(found)):
            image, labels = found[epoch, index].sample
            for kind, low, high in ((1, 200, 256), (2, -1, 56)):
                values = image.float().mean(0)[labels[0] == kind]
                if len(values) > 20:
                    seen.add(kind)
                    assert ((values > low) & (values < high)).float().mean() > 0.9
    assert seen == {1, 2}


def test_validation_sees_the_middle_and_nothing_is_told_beyond_the_border(root):
    image, labels = sources(root, "data.crop=52").samples("valid")[0, 0].sample
    one = labelled(root, "val")[0]
    picture, truth = read_image(one.image), read_labels(one.labels, 3)
    assert (labels[0, 2:50].numpy() == truth[:, 2:54]).all()
    assert (image[:, 2:50].numpy() == picture[:, 2:54].transpose(2, 0, 1)).all()
    assert (labels[0, :2] == 255).all() and (labels[0, 50:] == 255).all()


def test_a_crop_view_scales_turns_and_shifts():
    ramp = np.zeros((20, 30), np.uint8)
    ramp[4:8, 10:16] = 200
    double = sample_view(ramp, crop_view((20, 30), (40, 60), 0, (0, 0), 40), cv2.INTER_NEAREST)
    assert (double[8:16, 20:32] == 200).all() and (double == 200).sum() == 96
    turned = sample_view(ramp, crop_view((20, 30), (20, 30), 180, (0, 0), 20), cv2.INTER_NEAREST)
    assert (turned[12:16, 14:20] == 200).all() and (turned == 200).sum() == 24
    shifted = sample_view(
        ramp, crop_view((20, 30), (20, 30), 0, (-2, 5), 20), cv2.INTER_NEAREST, 255
    )
    assert (shifted[:2] == 255).all() and (shifted[6:10, 5:11] == 200).all()


def test_pictures_that_cannot_be_used_are_replaced_and_told(root):
    path = labelled(root, "train")[0].labels
    write_labels(path, np.full((48, 56), 7, np.uint8))
    made = sources(root).samples("train")[0, 0]
    assert len(made.problems) == 1 and f"{path}: label 7 is no class" in made.problems[0]
    write_labels(path, np.zeros((40, 56), np.uint8))
    assert "make them the same size" in sources(root).samples("train")[0, 0].problems[0]


def test_what_decides_a_training_changes_with_its_lists(root):
    before = sources(root).identity()
    names = root / INSIDE / "ImageSets" / "Segmentation" / "train.txt"
    names.write_text("train_0\ntrain_1\n")
    after = sources(root).identity()
    assert {name for name in before if before[name] != after[name]} == {
        "list of pictures that train"
    }
