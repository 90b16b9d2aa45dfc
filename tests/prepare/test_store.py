"""The training store: what was decoded, resumed, checked against its sources, never read broken."""

import json
import logging
import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import InputError
from tests.sets import disc, picture, write_set
from utils.data.folders import foregrounds
from utils.data.store import Store, build_store, store_folder
from utils.images.reading import read_alpha, read_image
from utils.images.trimap import make_trimap, unknown_radius
from utils.images.writing import write_image

COMMAND = "run python pre_process.py --dataset set"


@pytest.fixture
def root(tmp_path) -> Path:
    return write_set(tmp_path / "set", train=3, test=0)


def many(root: Path, count: int = 101) -> Path:
    """A set of so many small foregrounds that one bad one is less than 1 %."""
    for index in range(count):
        write_image(root / "train" / "fg" / f"f{index:03d}.png", picture(index, 8, 9))
        write_image(root / "train" / "alpha" / f"f{index:03d}.png", disc(8, 9))
    return root


def files(root: Path) -> dict[str, tuple[int, int]]:
    """What the store holds, and what changes when a file is made again."""
    found = store_folder(root).iterdir()
    return {one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in found}


def test_it_holds_what_was_decoded_and_where_the_edges_are(root):
    build_store(root)
    for source in foregrounds(root, "train"):
        stored = Store(root).open(source)
        alpha = read_alpha(source.alpha)
        assert np.array_equal(stored.rgba[..., :3], read_image(source.fg))
        assert np.array_equal(stored.rgba[..., 3], alpha)
        assert np.array_equal(stored.unknown_radius, unknown_radius(alpha))
        for radius in (0, 1, 7, 254):
            unknown = make_trimap(alpha, radius) == 128
            assert np.array_equal(stored.counts[radius], unknown.sum(axis=1))


def test_it_is_mapped_and_cannot_be_written_to_and_holds_no_file_open(root):
    build_store(root)
    before = len(list(Path("/proc/self/fd").iterdir()))
    store = Store(root)
    stored = [store.open(source) for source in foregrounds(root, "train")]
    maps = Path("/proc/self/maps").read_text()
    assert all(f"train/store/train{index}.safetensors" in maps for index in range(3))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ValueError, match="read-only"):
        stored[0].rgba[0, 0, 0] = 1


def test_a_second_build_makes_only_what_has_changed(root):
    build_store(root)
    before = files(root)
    build_store(root)
    assert files(root) == before

    write_image(root / "train" / "alpha" / "train1.png", disc(72, 88, 30))
    build_store(root)
    after = files(root)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"train1.safetensors"}
    stored = Store(root).open(foregrounds(root, "train")[1])
    assert np.array_equal(stored.rgba[..., 3], disc(72, 88, 30))


def test_snapped_mattes_are_solid_and_another_snap_makes_all_again(root):
    for path in (root / "train" / "alpha").iterdir():
        matte = read_alpha(path)
        write_image(path, np.where(matte == 255, 251, np.where(matte == 0, 3, matte)))
    build_store(root)
    source = foregrounds(root, "train")[0]
    assert np.all(Store(root).open(source).unknown_radius == 0), "every pixel is soft"
    before = files(root)
    build_store(root, snap=5)
    assert not set(files(root).items()) & set(before.items())
    stored, matte = Store(root).open(source), read_alpha(source.alpha).astype(int)
    wanted = np.where(matte >= 250, 255, np.where(matte <= 5, 0, matte))
    assert np.array_equal(stored.rgba[..., 3], wanted)
    assert np.array_equal(stored.unknown_radius, unknown_radius(wanted.astype(np.uint8)))
    assert Store(root).usable([source]) == [source]


def test_hidden_colours_do_not_shine_through_where_a_sample_is_resampled(root):
    source, alpha = foregrounds(root, "train")[0], disc(72, 88, 6)
    truth = np.full((72, 88, 3), (200, 90, 140), np.uint8)
    write_image(source.fg, np.where(alpha[..., None] > 0, truth, picture(9, 72, 88)))
    write_image(source.alpha, alpha)
    build_store(root)
    rgba = Store(root).open(source).rgba
    assert np.array_equal(rgba[..., :3], truth) and np.array_equal(rgba[..., 3], alpha)
    half = cv2.resize(np.ascontiguousarray(rgba), (44, 36), interpolation=cv2.INTER_AREA)
    assert np.all(half[..., :3] == truth[0, 0])


def test_a_store_from_before_hidden_colours_were_filled_is_still_read(root):
    build_store(root)
    source, path = foregrounds(root, "train")[0], store_folder(root) / "train0.safetensors"
    content, identity = path.read_bytes(), Store(root).identity(source)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    del header["__metadata__"]["hidden"]
    old = json.dumps(header).encode()
    path.write_bytes(len(old).to_bytes(8, "little") + old + content[8 + length :])
    assert Store(root).usable([source]) == [source]
    assert Store(root).identity(source) == identity  # its colours continue the visible ones
    before = files(root)
    build_store(root)
    assert {name for name in before if before[name] != files(root)[name]} == {path.name}


@pytest.mark.parametrize("damage", ["cut", "emptied", "garbage", "version"])
def test_a_broken_file_or_one_of_another_version_is_never_read_and_made_again(root, damage):
    build_store(root)
    source = foregrounds(root, "train")[0]
    path = store_folder(root) / "train0.safetensors"
    whole, arrays = path.read_bytes(), Store(root).open(source)
    wanted = [array.copy() for array in arrays]
    broken = {
        "cut": whole[:-1],
        "emptied": b"",
        "garbage": bytes(range(256)) * 40,
        "version": whole.replace(b'"version":"2"', b'"version":"1"'),
    }[damage]
    assert broken != whole
    path.write_bytes(broken)
    with pytest.raises(InputError, match=f"train0.safetensors: .*; {COMMAND}"):
        Store(root).open(source)
    with pytest.raises(InputError, match=COMMAND):
        Store(root).usable([source])
    build_store(root)
    again = Store(root).open(source)
    assert all(np.array_equal(a, b) for a, b in zip(again, wanted, strict=True))


def test_a_store_of_changed_sources_and_what_is_not_stored_name_the_command(root):
    build_store(root)
    sources = foregrounds(root, "train")
    assert Store(root).usable(sources) == sources
    os.utime(sources[1].fg, ns=(0, 0))
    with pytest.raises(InputError) as error:
        Store(root).usable(sources)
    assert f"{sources[1].fg} or {sources[1].alpha} has changed" in str(error.value)
    assert COMMAND in str(error.value)
    (store_folder(root) / "train2.safetensors").unlink()
    with pytest.raises(InputError, match=f"train2.safetensors: no such file; {COMMAND}"):
        Store(root).usable(sources[2:])
    shutil.rmtree(store_folder(root))
    with pytest.raises(InputError, match=f"train/store: no training store; {COMMAND}"):
        Store(root)


def test_one_bad_foreground_in_a_hundred_is_left_out_and_two_are_an_error(tmp_path, caplog):
    root = many(tmp_path / "set")
    bad = root / "train" / "fg" / "f007.png"
    content = bad.read_bytes()
    bad.write_bytes(content[: len(content) // 2])
    build_store(root)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1 and told[0].startswith(f"left out: {bad}: ")
    usable = Store(root).usable(foregrounds(root, "train"))
    assert len(usable) == 100 and "f007" not in {one.name for one in usable}
    (root / "train" / "fg" / "f050.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"f050\.png: .* \(and 1 more of 101 foregrounds, "):
        build_store(root)
    assert len(files(root)) == 100, "what could be read is kept for the next time"


def test_a_worker_gets_paths_not_pictures(root):
    build_store(root)
    store, sources = Store(root), foregrounds(root, "train")
    before = len(pickle.dumps(store))
    for source in sources:
        store.open(source)
    copied = pickle.loads(pickle.dumps(store))
    assert len(pickle.dumps(store)) == before
    assert np.array_equal(copied.open(sources[0]).rgba, store.open(sources[0]).rgba)


def test_a_row_of_more_pixels_than_its_counts_can_tell_is_left_out(root, caplog):
    many(root)
    for folder in ("fg", "alpha"):
        shape = (1, 65536, 3) if folder == "fg" else (1, 65536)
        write_image(root / "train" / folder / "wide.png", np.full(shape, 9, np.uint8))
    build_store(root)
    assert "wide.png: wider than 65535 pixels; make it smaller" in caplog.text
    assert "wide.safetensors" not in files(root)
