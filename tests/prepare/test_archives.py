"""What strangers packed can do no harm, and arrives whole or not at all."""

import gzip
import io
import os
import re
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.sources import pack, refused, text, write_pairs
from utils.data.folders import foregrounds
from utils.data.importers import archives, importing
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


@pytest.mark.parametrize("open_as", ["w", "w:gz"])
def test_tar_that_ends_between_two_members_is_damaged(tmp_path, open_as):
    archive = tmp_path / ("a.tar" if open_as == "w" else "a.tgz")
    whole = tarred(tmp_path / "whole.tar", member("1.png"), member("2.png"))
    data = whole.read_bytes()[:512]
    with (gzip.open if open_as == "w:gz" else open)(archive, "wb") as file:
        file.write(data)
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "damaged" in message and "ends after 1 entries" in message


def test_tar_that_goes_on_after_its_end_is_not_taken_for_a_shorter_one(tmp_path):
    parts = [tarred(tmp_path / f"{name}.tar", member(f"{name}.png")) for name in "bc"]
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"".join(part.read_bytes() for part in parts))
    message = refused("photographs", archive, tmp_path / "set", part="train")
    assert "more follows its end after 1 entries" in message


@pytest.mark.parametrize("flag", [True, False])
def test_names_in_a_zip_are_utf8_with_its_flag_or_without(pairs, tmp_path, flag):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for kind in ("fg", "alpha"):
            file.write(pairs / kind / "0.png", f"{kind}/cafe\u0301.png")
    if not flag:
        data = archive.read_bytes()
        for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            for entry in [found.start() + at for found in re.finditer(re.escape(mark), data)]:
                (bits,) = struct.unpack_from("<H", data, entry)
                assert bits & 0x800
                data = data[:entry] + struct.pack("<H", bits & ~0x800) + data[entry + 2 :]
        archive.write_bytes(data)
    import_set("pairs", archive, tmp_path / "set", part="train")
    assert [one.name for one in foregrounds(tmp_path / "set", "train")] == ["caf\u00e9"]


def test_names_of_old_programs_stay_as_the_format_has_them(pairs, tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for kind in ("fg", "alpha"):
            file.write(pairs / kind / "0.png", f"{kind}/cafX.png")
    archive.write_bytes(archive.read_bytes().replace(b"cafX", b"caf\x82"))  # of code page 437
    import_set("pairs", archive, tmp_path / "set", part="train")
    assert [one.name for one in foregrounds(tmp_path / "set", "train")] == ["caf\u00e9"]


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


@pytest.mark.parametrize("same_time", [False, True])
def test_a_killed_import_leaves_nothing_to_another_archive_of_that_name(
    pairs, tmp_path, monkeypatch, same_time
):
    archive, root = pack(pairs, "mine.zip"), tmp_path / "set"
    stamp = archive.stat().st_mtime_ns

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(importing, "Request", killed)
        import_set("pairs", archive, root, part="train")
    assert (tmp_path / ".set.mine.zip" / "fg" / "2.png").is_file()
    for kind in ("fg", "alpha"):
        (pairs / kind / "0.png").rename(pairs / kind / "other.png")
        for gone in ("1.png", "2.png"):
            (pairs / kind / gone).unlink()
    pack(pairs, "mine.zip")
    if same_time:
        os.utime(archive, ns=(stamp, stamp))
    import_set("pairs", archive, root, part="train")
    assert [one.name for one in foregrounds(root, "train")] == ["other"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "set"]


def test_names_that_no_list_can_hold_are_renamed(pairs, tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as file:
        for kind in ("fg", "alpha"):
            file.add(pairs / kind / "0.png", f"{kind}/é\n0 .png")
    root = tmp_path / "set"
    import_set("pairs", archive, root, part="train")
    assert [one.name for one in foregrounds(root, "train")] == ["__0"]
