"""What strangers packed can do no harm, and arrives whole or not at all."""

import io
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.sources import pack, refused, text, write_pairs
from utils.data.folders import foregrounds
from utils.data.importers import archives
from utils.data.importers.importing import import_set


@pytest.fixture
def pairs(tmp_path) -> Path:
    return write_pairs(tmp_path / "in" / "mine")


def zipped(path: Path, *names: str | zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"0123456789" * 100)
    return path


def tarred(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


OUTSIDE = ("../x.png", "a/../../x.png", "/x.png", "C:\\x.png", "..\\x.png", "\\x.png")


@pytest.mark.parametrize("name", OUTSIDE)
def test_entries_that_would_leave_the_data_set_are_refused(tmp_path, name):
    place = tmp_path / "deep" / "deeper"
    place.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    for archive in (zipped(place / "a.zip", "1.png", name), tarred(place / "a.tar", member(name))):
        message = refused("photographs", archive, place / "set", part="train")
        assert name in message and "outside" in message
        archive.unlink()
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused_by_name(tmp_path, kind):
    archive = tarred(tmp_path / "a.tar", member("1.png"), member("evil.png", kind, "/etc/passwd"))
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "evil.png is a link or a device" in message
    assert list(tmp_path.iterdir()) == [archive]


def test_links_in_a_zip_are_refused_by_name(tmp_path):
    info = zipfile.ZipInfo("evil.png")
    info.external_attr = 0o120777 << 16
    archive = zipped(tmp_path / "a.zip", "1.png", info)
    assert "evil.png is a link" in refused("photographs", archive, tmp_path / "set", part="train")


def forged(path: Path, **fields: int) -> Path:
    """A zip of 1.png whose directory says something else than is true."""
    zipped(path, "1.png")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    for name, value in fields.items():
        offset, form = {"flags": (8, "<H"), "method": (10, "<H"), "size": (24, "<I")}[name]
        struct.pack_into(form, data, entry + offset, value)
        if name == "method":
            struct.pack_into(form, data, 8, value)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flags": 1}, "1.png is encrypted"),
        ({"method": 9}, "unpack it with another program"),
        ({"size": 10}, "damaged"),  # holds more than it says
        ({"size": 5000}, "holds 1000 bytes, not 5000"),
    ],
)
def test_zips_that_lie_or_cannot_be_read_leave_nothing(tmp_path, fields, words):
    archive = forged(tmp_path / "a.zip", **fields)
    assert words in refused("photographs", archive, tmp_path / "set", part="train")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_archives_cut_off_leave_nothing(pairs, tmp_path, name):
    archive = pack(pairs, name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    before = set(tmp_path.iterdir())
    assert "damaged" in refused("pairs", archive, tmp_path / "set", part="train")
    assert set(tmp_path.iterdir()) == before


def test_tar_with_a_damaged_header_is_not_taken_for_a_shorter_one(tmp_path):
    archive = tarred(tmp_path / "a.tar", *(member(f"{index}.png") for index in range(3)))
    data = bytearray(archive.read_bytes())
    data[512] ^= 1  # the second header
    archive.write_bytes(data)
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "bad header after 1 entries" in message


def test_compressed_tar_is_read_to_its_checksum(pairs, tmp_path):
    archive = pack(pairs, "a.tgz")
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)
    assert "CRC" in refused("pairs", archive, tmp_path / "set", part="train")


def test_archive_larger_than_the_disk_is_refused_with_both_numbers(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", "1.png", "2.png")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1900))
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "a.zip: needs 2 kB, but 1.9 kB are free" in message
    assert list(tmp_path.iterdir()) == [archive]


def test_interrupted_unpacking_goes_on_where_it_stopped(pairs, tmp_path, monkeypatch):
    archive, root = pack(pairs, "mine.zip"), tmp_path / "data" / "set"
    read, unpacked = archives.read, []

    def interrupted(archive, entry):
        if len(unpacked) == 4:
            raise KeyboardInterrupt
        unpacked.append(entry.path)
        return read(archive, entry)

    monkeypatch.setattr(archives, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_set("pairs", archive, root, part="train")
    assert not root.exists()
    first = unpacked.copy()
    unpacked.clear()
    assert import_set("pairs", archive, root, part="train").written == 6
    assert len(unpacked) == 2 and not set(unpacked) & set(first)
    assert list((tmp_path / "data").iterdir()) == [root]


def test_files_of_another_archive_of_that_name_are_not_taken_for_its_own(pairs, tmp_path):
    archive, root = pack(pairs, "mine.zip"), tmp_path / "set"
    stale = tmp_path / ".set.mine.zip" / "fg" / "0.png"
    text(stale, bytes((pairs / "fg/0.png").stat().st_size))
    import_set("pairs", archive, root, part="train")
    assert (root / "train/fg/0.png").read_bytes() == (pairs / "fg/0.png").read_bytes()


def test_names_that_no_list_can_hold_are_renamed(pairs, tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as file:
        for kind in ("fg", "alpha"):
            file.add(pairs / kind / "0.png", f"{kind}/é\n0 .png")
    root = tmp_path / "set"
    import_set("pairs", archive, root, part="train")
    assert [one.name for one in foregrounds(root, "train")] == ["__0"]
