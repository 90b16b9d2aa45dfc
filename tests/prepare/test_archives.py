"""What strangers packed can do no harm, and arrives whole or not at all."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.sources import files, pack, refused, text, write_pairs
from utils.data.importers.importing import import_set


@pytest.fixture
def pairs(tmp_path) -> Path:
    return write_pairs(tmp_path / "in" / "mine")


def zipped(path: Path, *names: str | zipfile.ZipInfo) -> Path:
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


def test_a_zip_with_a_password_says_what_to_do(tmp_path):
    archive = zipped(tmp_path / "a.zip", "1.png")
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "is encrypted" in message and "unpack it with another program" in message
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_archives_cut_off_leave_nothing(pairs, tmp_path, name):
    archive = pack(pairs, name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    before = set(tmp_path.iterdir())
    assert "get it again" in refused("pairs", archive, tmp_path / "set", part="train")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["mine.zip", "mine.tgz"])
def test_what_an_unpacking_that_was_killed_has_left_is_not_taken(pairs, tmp_path, name):
    archive, root = pack(pairs, name), tmp_path / "set"
    text(root / ".importing/in/fg/0.png", bytes((pairs / "fg/0.png").stat().st_size))
    text(root / ".importing/staged/train/fg/half.png", "half")
    import_set("pairs", archive, root, part="train")
    assert (root / "train/fg/0.png").read_bytes() == (pairs / "fg/0.png").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "set"]
    assert {one.parts[0] for one in map(Path, files(root))} == {"train"}
    assert len(files(root)) == 6
