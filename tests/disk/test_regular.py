"""What never ends is refused, not waited for."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from tests.refusals import refused
from tests.scripts import main, refusal
from tests.sets import write_set
from utils import config
from utils.data.check import check_set
from utils.data.store.building import build_store
from utils.disk.lock import folder_lock
from utils.images.names import read_names
from utils.images.reading import matte_size, read_image, read_matte


@pytest.fixture(autouse=True)
def within_seconds() -> Iterator[None]:
    """Each of these has waited for ever once."""

    def late(*_):
        raise TimeoutError("still waiting")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("read", [read_image, read_matte, matte_size, read_names, config.load])
@pytest.mark.parametrize("suffix", [".png", ".npy"])
def test_a_pipe_is_no_file(tmp_path, read, suffix):
    assert "is a named pipe, no file; " in refused(read, pipe(tmp_path / f"a{suffix}"))


def test_a_device_is_no_file():
    assert "/dev/zero: is a device, no file" in refused(config.load, "/dev/zero")


def test_pipes_in_a_data_set_are_problems_like_others(tmp_path):
    root = write_set(tmp_path / "set")
    build_store(root)
    pipes = [
        pipe(root / path)
        for path in (
            "train/fg/train0.png",
            "train/alpha/train1.png",
            "test/bg/test0.png",
            "train_names.txt",
        )
    ]
    told = "\n".join(check_set(root))
    assert all(f"{path}: is a named pipe" in told for path in pipes)
    pipe(root / "train" / "store" / "train2.safetensors")
    assert "is a named pipe" in refused(build_store, root)


def test_pipes_are_not_imported(tmp_path):
    source = write_set(tmp_path / "theirs") / "train"
    pipe(source / "bg" / "train0.png")
    told = refusal(
        *("pre_process.py", "--data-root", tmp_path, "--dataset", "new", "--from", source / "bg"),
        *("--kind", "photographs", "--part", "train", "--workers", 0),
    )
    assert "train0.png: is a named pipe" in told
    told = refusal(
        *("pre_process.py", "--data-root", tmp_path, "--dataset", "new", "--kind", "pairs"),
        *("--part", "train", "--from", pipe(tmp_path / "a.zip")),
    )
    assert "a.zip: is a named pipe" in told


def test_a_lock_that_is_a_link_to_nothing_is_named(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "none" / "such")
    with pytest.raises(InputError, match=r"\.lock: cannot be made"), folder_lock(tmp_path, "x"):
        pass


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 9)}]}}\n" for i in range(9)
)


@pytest.mark.parametrize("text", [LAUGHS, MERGES, "a: &a [*a]", "a: &a {<<: *a}"])
def test_aliases_of_aliases_are_not_unfolded(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    told = refused(config.load, tmp_path / "c.yaml")
    assert "no valid YAML (its aliases and values are more than 10000" in told


def test_aliases_serve_as_they_are_meant(tmp_path):
    (tmp_path / "c.yaml").write_text("train: &a {epochs: 3}\ntrain_prune: {<<: *a, lr: 0.1}\n")
    found = config.load(tmp_path / "c.yaml")
    assert found.train_prune.epochs == 3 and found.train_prune.lr == 0.1


def test_a_fifo_among_saved_mattes_is_named(tmp_path):
    from tests.sets import write_test_set

    folders = write_test_set(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    path = pipe(folders["pred"] / "a.png")
    kinds = [one for kind in ("pred", "alpha", "trimap") for one in (f"--{kind}", folders[kind])]
    assert f"{path}: is a named pipe" in refusal("test.py", *kinds)
    path.unlink()
    pipe(folders["pred"] / "a.npy")
    with pytest.raises(Exception, match="is a named pipe"):
        main("test.py", *kinds)
