"""Network files: round trips, published checkpoints, and what is refused."""

import errno
import os
import pickle
import warnings

import pytest
import torch
from torch import nn

import models
from models import files
from models.errors import InputError
from models.network import Network


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    structure = {"convolutions": [1, 2, 1, 1, 2]}
    return models.build("dim", models.scaled_plan("dim", 1 / 32, **structure), **structure)


def same(a: Network, b: Network) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return (
        (a.name, a.plan, a.structure) == (b.name, b.plan, b.structure)
        and ours.keys() == theirs.keys()
        and all(torch.equal(ours[key], theirs[key]) for key in ours)
    )


@pytest.mark.parametrize("name", ["network.tar", "network.safetensors"])
def test_a_saved_network_comes_back_whole_and_in_evaluation_mode(network, tmp_path, name):
    files.save_network(tmp_path / "new" / name, network)
    loaded = models.load(tmp_path / "new" / name)
    assert same(network, loaded) and not loaded.training
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize("name", ["network.tar", "network.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(network, tmp_path, name, share):
    path = tmp_path / name
    files.save_network(path, network)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=f"{name}: truncated"):
        models.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tar: no such checkpoint"):
        models.load(tmp_path / "none.tar")


def test_weights_of_another_network_are_refused(network, tmp_path):
    content = files.record(network)
    content["plan"] = content["plan"] | {"encoder1.1": 7}
    files.save(tmp_path / "a.tar", content)
    with pytest.raises(InputError, match=r"a\.tar: its weights do not fit"):
        models.load(tmp_path / "a.tar")


def test_an_unknown_network_in_a_file_is_named(network, tmp_path):
    files.save(tmp_path / "a.tar", files.record(network) | {"name": "unet"})
    with pytest.raises(InputError, match=r"a\.tar: no network named 'unet'"):
        models.load(tmp_path / "a.tar")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(network, tmp_path, monkeypatch):
    path = tmp_path / "network.tar"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"network\.tar: the disk is full"):
        files.save_network(path, network)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- published checkpoints -------------------------------------------------------------------


class conv2DBatchNormRelu(nn.Module):  # the names that published files pickle
    def __init__(self, read: int, write: int, kernel: int) -> None:
        super().__init__()
        conv = nn.Conv2d(read, write, kernel, padding=kernel // 2)
        self.cbr_unit = nn.Sequential(conv, nn.BatchNorm2d(write), nn.ReLU())


class Block(nn.Module):
    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class DIMModel(Block):
    pass


CLASSES = (conv2DBatchNormRelu, Block, DIMModel)


def published_module(widths=(4, 5, 6, 7, 8)) -> DIMModel:
    """foamliu's DIM with one convolution a block, and an adapter beside it."""
    torch.manual_seed(2)
    reads = (4, *widths)
    down = {
        f"down{k}": Block(conv1=conv2DBatchNormRelu(reads[k - 1], reads[k], 3)) for k in range(1, 6)
    }
    writes = {k: widths[k - 2] if k > 1 else 1 for k in range(1, 6)}
    up = {
        f"up{k}": Block(conv=conv2DBatchNormRelu(widths[k - 1], writes[k], 5))
        for k in range(5, 0, -1)
    }
    return DIMModel(**down, **up, feature2=nn.Conv2d(5, 9, 1))


def check_published(network: Network, module: DIMModel) -> None:
    assert list(network.plan.values()) == [4, 5, 6, 7, 8]
    assert network.structure == {"convolutions": [1] * 5}
    ours, theirs = network.state_dict(), module.state_dict()
    key = "down3.conv1.cbr_unit"
    assert torch.equal(ours["encoder3.units.0.conv.weight"], theirs[f"{key}.0.weight"])
    assert torch.equal(ours["encoder3.units.0.norm.running_var"], theirs[f"{key}.1.running_var"])
    assert torch.equal(ours["decoder1.norm.bias"], theirs["up1.conv.cbr_unit.1.bias"])
    assert not network.training


@pytest.fixture
def pickled(tmp_path, monkeypatch):
    """Save content as a script with a top-level module `models` does, then forget its classes."""

    def save(content: object, new_format: bool):
        with monkeypatch.context() as patch:
            for one in CLASSES:
                patch.setattr(one, "__module__", "models")
                patch.setattr(models, one.__name__, one, raising=False)
            path = tmp_path / "BEST_checkpoint.tar"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the old format wants to save our classes' source
                torch.save(content, path, _use_new_zipfile_serialization=new_format)
        return path

    return save


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("parallel", [True, False])
def test_a_pickled_module_is_read_without_its_classes(pickled, new_format, parallel):
    module = published_module()
    wrapped = nn.DataParallel(module) if parallel else module
    optimizer = torch.optim.Adam(module.parameters())
    content = {"epoch": 3, "epochs_since_improvement": 0, "loss": 0.1}
    path = pickled(content | {"model": wrapped, "optimizer": optimizer}, new_format)
    assert not hasattr(models, "DIMModel")
    check_published(models.published.load(path), module)
    check_published(models.load(path), module)


@pytest.mark.parametrize("wrapper", [lambda s: s, lambda s: {"epoch": 1, "state_dict": s}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dicts_are_read_bare_or_wrapped(tmp_path, wrapper, prefix):
    module = published_module()
    state = wrapper({f"{prefix}{key}": value for key, value in module.state_dict().items()})
    check_published(models.published.load(state), module)
    torch.save(state, tmp_path / "published.pth")
    check_published(models.load(tmp_path / "published.pth"), module)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch harm-done",))


def test_nothing_in_a_published_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, "evil.tar")
    with pytest.raises(InputError, match=r"evil\.tar: it asks for .*system, .*refused"):
        models.load("evil.tar")
    assert not (tmp_path / "harm-done").exists()


@pytest.mark.parametrize(
    "global_name",
    ["torch.hub\nload", "builtins\neval", "torch.serialization\nload", "models.files\nload"],
)
def test_functions_are_never_admitted(tmp_path, global_name):
    module, name = global_name.split("\n")
    payload = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x05\x00\x00\x00helloq\x00\x85R."
    from models import plain_pickle

    path = tmp_path / "payload"
    path.write_bytes(payload)
    if module.startswith("models"):
        with path.open("rb") as file:
            assert type(plain_pickle._load(file)) is plain_pickle.Husk
    else:
        with path.open("rb") as file, pytest.raises(InputError, match="refused"):
            plain_pickle._load(file)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_published_file_is_named(pickled, share):
    path = pickled({"model": published_module()}, False)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"BEST_checkpoint\.tar: truncated"):
        models.load(path)


def test_another_layout_is_refused_by_its_first_strange_entry(tmp_path):
    torch.save({"layer0.0.weight": torch.zeros(1)}, tmp_path / "gca.pth")
    with pytest.raises(InputError, match=r"gca\.pth: no layout .* 'layer0\.0\.weight'"):
        models.load(tmp_path / "gca.pth")


def test_a_picture_is_no_checkpoint(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(InputError, match=r"a\.tar: truncated, or no"):
        models.load(tmp_path / "a.tar")


def test_plain_pickles_are_no_checkpoints(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(InputError, match=r"a\.pkl"):
        models.load(tmp_path / "a.pkl")
