"""Data sets of others arrive whole in our layout, or not at all."""

import io
import logging
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.sets import disc, picture
from tests.sources import SIZE, alpha, fg, files, pack, refused, text, write_pairs
from utils.data.folders import backgrounds, foregrounds
from utils.data.importers.importing import import_set
from utils.images.names import read_names
from utils.images.reading import read_alpha, read_image


@pytest.fixture
def adobe(tmp_path) -> Path:
    """Composition-1k as its authors send it, in small."""
    source = tmp_path / "in" / "Combined_Dataset"
    train, other = source / "Training_set/Adobe-licensed images", source / "Training_set/Other"
    test = source / "Test_set/Adobe-licensed images"
    fg(train / "fg/a man.JPG", 1)
    alpha(train / "alpha/a man.jpg", 2)
    fg(other / "fg/hair.v2.png", 2)
    alpha(other / "alpha/hair.v2.png", 4)
    fg(test / "fg/z.jpg.png", 3)
    alpha(test / "alpha/z.png", 5)
    fg(test / "fg/b.png", 4)
    alpha(test / "alpha/B.PNG", 6)
    for name in ("z_0", "z.jpg_1", "b_0"):
        alpha(test / f"trimaps/{name}.png")
    text(source / "Training_set/training_fg_names.txt", "Other/fg/hair.v2.png\r\na man.JPG\r\n")
    text(source / "Training_set/training_bg_names.txt", "COCO_2.jpg\nCOCO_1.jpg\n")
    text(source / "Test_set/test_fg_names.txt", b"\xef\xbb\xbfz.jpg.png\r\nb.png")
    text(source / "Test_set/test_bg_names.txt", "2008_2.jpg\n2008_1.jpg\n")
    text(source / "Adobe Deep Image Mattng Dataset License Agreement.pdf", "noncommercial")
    text(source / "Test_set/.DS_Store", "junk")
    text(test / "fg/Thumbs.db", "junk")
    text(tmp_path / "in/__MACOSX/Combined_Dataset/Test_set/fg/._b.png", "junk")
    text(tmp_path / "in/__MACOSX/Combined_Dataset/Test_set/alpha/._b.png", "junk")
    return tmp_path / "in"


ARRIVED = {
    "Adobe Deep Image Mattng Dataset License Agreement.pdf",
    "train/train_fg_names.txt",
    "train/train_bg_names.txt",
    "train/fg/a man.JPG",
    "train/alpha/a man.jpg",
    "train/fg/hair.v2.png",
    "train/alpha/hair.v2.png",
    "test/test_fg_names.txt",
    "test/test_bg_names.txt",
    "test/fg/z.jpg.png",
    "test/alpha/z.jpg.png",
    "test/fg/b.png",
    "test/alpha/b.PNG",
    "test/trimap/z.jpg_0.png",
    "test/trimap/z.jpg_1.png",
    "test/trimap/b_0.png",
}


# --- Composition-1k, Distinctions-646 ---------------------------------------------------------


@pytest.mark.parametrize("packed", [None, "set.zip", "set.tgz"])
def test_composition_arrives_from_a_folder_and_from_every_archive(adobe, tmp_path, packed):
    root = tmp_path / "data" / "set"
    source = pack(adobe, packed) if packed else adobe
    summary = import_set("composition-1k", source, root)
    assert set(files(root)) == ARRIVED
    assert summary.folders == {
        "train/fg": 2,
        "train/alpha": 2,
        "test/fg": 2,
        "test/alpha": 2,
        "test/trimap": 3,
    }
    assert (summary.written, summary.kept) == (11, 0)
    assert np.array_equal(read_alpha(root / "test/alpha/z.jpg.png"), disc(*SIZE, 5))
    assert np.array_equal(read_image(root / "test/fg/b.png"), picture(4, *SIZE))
    assert list((tmp_path / "data").iterdir()) == [root]  # nothing unpacked is left
    assert adobe.is_dir()


def test_composition_keeps_the_published_order(adobe, tmp_path):
    root = tmp_path / "data" / "set"
    import_set("composition-1k", adobe, root)
    assert [one.name for one in foregrounds(root, "test")] == ["z.jpg", "b"]
    assert [one.name for one in foregrounds(root, "train")] == ["hair.v2", "a man"]
    for part, prefix in (("train", "COCO"), ("test", "2008")):
        fg(tmp_path / f"{part}_photographs" / f"{prefix}_1.jpg")
        fg(tmp_path / f"{part}_photographs" / f"{prefix}_2.jpg", 1)
        import_set("photographs", tmp_path / f"{part}_photographs", root, part=part)
        names = [path.name for path in backgrounds(root, part)]
        assert names == [f"{prefix}_2.jpg", f"{prefix}_1.jpg"]


def test_terms_that_bind_are_logged_and_replace_no_file(adobe, tmp_path, caplog):
    root = tmp_path / "set"
    licence = "Adobe Deep Image Mattng Dataset License Agreement.pdf"
    text(root / licence, "others")
    with caplog.at_level(logging.INFO):
        import_set("composition-1k", adobe, root)
    assert "its terms (noncommercial) bind" in caplog.text
    assert (root / licence).read_text() == "others"


def test_distinctions_arrive_with_their_lists_of_backgrounds(tmp_path):
    source = tmp_path / "in" / "Distinctions-646"
    for part, name in (("Train", "1(2)"), ("Test", "7")):
        fg(source / part / "FG" / f"{name}.png")
        alpha(source / part / "GT" / f"{name}.png")
    text(source / "Test/bg_test.txt", "2008_2.jpg\r\n2008_1.jpg")
    root = tmp_path / "set"
    import_set("distinctions-646", source, root)
    assert set(files(root)) == {
        "train/fg/1(2).png",
        "train/alpha/1(2).png",
        "test/fg/7.png",
        "test/alpha/7.png",
        "test/test_bg_names.txt",
    }
    assert read_names(root / "test/test_bg_names.txt") == ["2008_2.jpg", "2008_1.jpg"]


def test_list_that_names_what_is_not_there_is_refused(adobe, tmp_path):
    text(adobe / "Combined_Dataset/Test_set/test_fg_names.txt", "b.png\nq.png\n")
    message = refused("composition-1k", adobe, tmp_path / "set")
    assert "test_fg_names.txt lists q.png, of which there is no pair" in message


# --- pairs ------------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path) -> Path:
    return write_pairs(tmp_path / "in" / "mine")


def test_everything_that_does_not_fit_is_listed_before_anything_is_written(pairs, tmp_path, caplog):
    (pairs / "alpha/0.png").unlink()
    alpha(pairs / "alpha/1.png", size=(24, 31))
    for index in range(7, 10):
        alpha(pairs / f"alpha/{index}.png")
    text(pairs / "fg/2.png", b"")
    whole = (pairs / "alpha/2.png").read_bytes()
    text(pairs / "alpha/2.png", whole[: len(whole) // 2])
    message = refused("pairs", pairs, tmp_path / "set", part="train")
    assert "fg/0.png has no matte (and 6 more, all listed above); nothing was changed" in message
    assert "fg/1.png is 32 x 24, but alpha/1.png is 31 x 24" in caplog.text
    assert "alpha/9.png has no foreground" in caplog.text
    assert "fg/2.png: the file is empty" in caplog.text
    assert "alpha/2.png: the file is truncated" in caplog.text
    assert len(caplog.records) == 7
    assert not (tmp_path / "set").exists()


def test_pairs_go_to_their_part_and_stay_when_brought_again(pairs, tmp_path):
    root = tmp_path / "set"
    alpha(pairs / "trimap/0.png")
    first = import_set("pairs", pairs, root, part="test")
    stamps = {path: path.stat().st_mtime_ns for path in root.rglob("*.png")}
    again = import_set("pairs", pairs, root, part="test")
    assert (first.written, again.written, again.kept) == (7, 0, 7)
    assert stamps == {path: path.stat().st_mtime_ns for path in root.rglob("*.png")}
    assert len(stamps) == 7 and all(path.parts[-3] == "test" for path in stamps)


def test_another_file_of_the_same_name_is_never_replaced(pairs, tmp_path):
    root = tmp_path / "set"
    import_set("pairs", pairs, root, part="train")
    before, path = files(root), pairs / "alpha/1.png"
    alpha(path, 9)
    for brought in (path, path.with_suffix(".TIF")):
        path.rename(brought)
        message = refused("pairs", pairs, root, part="train")
        assert "train/alpha/1.png is another file" in message and f"alpha/{brought.name}" in message
        assert files(root) == before


def test_links_point_to_the_source_and_are_refused_where_they_cannot(pairs, tmp_path):
    root = tmp_path / "set"
    import_set("pairs", pairs, root, part="train", link=True)
    target = root / "train/fg/0.png"
    assert target.is_symlink() and target.resolve() == pairs / "fg/0.png"
    assert import_set("pairs", pairs, root, part="train").kept == 6
    assert "leave out --link" in refused("cutouts", pairs, root, part="train", link=True)
    packed = pack(pairs, "mine.zip")
    assert "leave out --link" in refused("pairs", packed, root, part="train", link=True)


def test_impossible_arguments_are_one_line(pairs, tmp_path):
    message = refused("composition-1k", pairs, tmp_path / "set")
    assert "Training_set or Train" in message and "(alpha, fg)" in message
    shutil.copytree(pairs, pairs.parent / "other")
    message = refused("pairs", pairs.parent, tmp_path / "set", part="train")
    assert "mine/fg and other/fg" in message
    assert "choose one of composition-1k" in refused("adobe", pairs, tmp_path / "set")
    assert "--part train or --part test" in refused("pairs", pairs, tmp_path / "set")
    assert "neither a folder nor" in refused("pairs", tmp_path / "q", tmp_path / "set", part="test")
    text(tmp_path / "set.rar", "Rar!")
    message = refused("distinctions-646", tmp_path / "set.rar", tmp_path / "set")
    assert "unpack it and give the folder" in message


# --- photographs ------------------------------------------------------------------------------


def test_of_voc_only_the_photographs_arrive_from_one_archive_after_the_other(tmp_path):
    root = tmp_path / "set"
    for name in ("2008_1", "2008_2"):
        voc = tmp_path / name / "VOCdevkit" / "VOC2008"
        fg(voc / f"JPEGImages/{name}.jpg")
        fg(voc / f"SegmentationClass/{name}.png", 5)
        fg(tmp_path / name / "@eaDir" / "thumbnail.jpg", 1)  # of a network disk
        import_set("photographs", pack(tmp_path / name, f"{name}.tar"), root, part="test")
    assert set(files(root)) == {"test/bg/2008_1.jpg", "test/bg/2008_2.jpg"}


def test_photographs_of_one_name_in_two_folders_are_both_named_unless_they_are_the_same(tmp_path):
    source, root = tmp_path / "in", tmp_path / "set"
    fg(source / "a/1.jpg")
    fg(source / "b/c/1.jpg")
    assert import_set("photographs", source, root, part="train").folders == {"train/bg": 1}
    fg(source / "b/c/1.jpg", 1)
    message = refused("photographs", source, root, part="train")
    assert "a/1.jpg and b/c/1.jpg are different" in message


def test_what_would_be_left_out_is_named(pairs, tmp_path):
    (pairs / "fg/a.gif").touch()
    (pairs / "fg/b.heic").touch()
    for kind, source in (("pairs", pairs), ("photographs", pairs / "fg")):
        message = refused(kind, source, tmp_path / "set", part="train")
        assert "a.gif: .gif is not read here; save it as PNG or JPEG, or remove it (and" in message


def test_an_import_that_was_interrupted_leaves_nothing_and_can_be_run_again(
    pairs, tmp_path, monkeypatch
):
    root, copy = tmp_path / "set", shutil.copy2

    def interrupted(source, target):
        if source.name == "1.png":
            raise KeyboardInterrupt
        copy(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "copy2", interrupted)
        import_set("pairs", pairs, root, part="train")
    assert not root.exists()
    assert import_set("pairs", pairs, root, part="train").written == 6


def test_frames_in_folders_of_clips_are_pairs(tmp_path):
    source, root = tmp_path / "in", tmp_path / "set"
    for clip in ("0000", "0001"):
        for frame in range(2):
            fg(source / f"fgr/{clip}/0000{frame}.jpg", frame)
            alpha(source / f"pha/{clip}/0000{frame}.png", 3 + frame)
    archive = pack(source, "clips.zip")
    assert import_set("pairs", source, root, part="train").folders["train/fg"] == 4
    names = ["0000_00000", "0000_00001", "0001_00000", "0001_00001"]
    assert [one.name for one in foregrounds(root, "train")] == names
    import_set("pairs", archive, tmp_path / "other", part="train")
    assert files(tmp_path / "other") == files(root)
    (source / "pha/0001/00001.png").unlink()
    message = refused("pairs", source, tmp_path / "third", part="train")
    assert "fgr/0001/00001.jpg has no matte" in message


# --- archives -------------------------------------------------------------------------------------


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"0123456789" * 100)
    return path


def tarred(path: Path, *members: str | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for one in members:
            info = one if isinstance(one, tarfile.TarInfo) else tarfile.TarInfo(one)
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return path


@pytest.mark.parametrize("name", ["a/../../x.png", "/x.png", "..\\x.png"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_nothing_is_written_outside_of_the_data_set(tmp_path, name, pack):
    place = tmp_path / "deep" / "deeper"
    place.mkdir(parents=True)
    archive = pack(place / f"a.{pack.__name__[:3]}", "1.png", name)
    before = set(tmp_path.rglob("*"))
    refused("photographs", archive, place / "set", part="train")  # no whole pictures
    assert set(tmp_path.rglob("*")) == before and not Path("/x.png").exists()


def test_links_in_a_tar_are_refused_by_name(tmp_path):
    evil = tarfile.TarInfo("evil.png")
    evil.type, evil.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = tarred(tmp_path / "a.tar", "1.png", evil)
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "evil.png is a link or a device" in message
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_archives_cut_off_leave_nothing(pairs, tmp_path, name):
    archive = pack(pairs, name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    before = set(tmp_path.iterdir())
    assert "get it again" in refused("pairs", archive, tmp_path / "set", part="train")
    assert set(tmp_path.iterdir()) == before


def test_what_an_unpacking_that_was_killed_has_left_is_not_taken(pairs, tmp_path):
    archive, root = pack(pairs, "mine.zip"), tmp_path / "set"
    text(root / ".importing/in/fg/0.png", bytes((pairs / "fg/0.png").stat().st_size))
    text(root / ".importing/staged/train/fg/half.png", "half")
    import_set("pairs", archive, root, part="train")
    assert (root / "train/fg/0.png").read_bytes() == (pairs / "fg/0.png").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "set"]
    assert {one.parts[0] for one in map(Path, files(root))} == {"train"}
    assert len(files(root)) == 6
