"""Published checkpoints: modules and state dicts of others as networks of ours, or one line."""

import argparse
import collections
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.errors import InputError
from models.network import Network


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
    optimizer = torch.optim.Adam(module.parameters(), lr=0)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()  # its state is by parameter
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


class Script(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_a_torchscript_program_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "program.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.save(torch.jit.script(Script()), path)
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("the program was loaded"))
    for read in (models.load, models.published.load):
        with pytest.raises(InputError, match=r"program\.pt: a TorchScript program"):
            read(path)


BESIDE = {
    "loss": np.float64(0.1),
    "epoch": np.int64(3),
    "history": np.arange(3.0),
    "names": np.array(["a", "b"]),
    "type": np.dtype("float32"),
    "counts": collections.Counter("abca"),
    "groups": collections.defaultdict(list, {"a": [1]}),
    "args": argparse.Namespace(lr=0.1, out=Path("result"), dtype=torch.float16),
    "path": Path("/data"),
    "device": torch.device("cpu"),
    "shape": torch.Size((1, 2)),
    "precisions": [torch.float32, torch.bfloat16, torch.uint8, torch.bool],
    "seen": {1, 2},
    "fixed": frozenset("ab"),
}


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before torch 1.6"])
def test_what_scripts_leave_beside_the_weights_does_no_harm(pickled, new_format):
    module = published_module()
    check_published(models.load(pickled(BESIDE | {"model": module}, new_format)), module)
    state = BESIDE | {"state_dict": module.state_dict()}
    check_published(models.published.load(pickled(state, new_format)), module)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch harm-done",))


def test_nothing_in_a_published_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, "evil.tar")
    with pytest.raises(InputError, match=r"evil\.tar: it asks for .*system, .*refused"):
        models.load("evil.tar")
    assert not (tmp_path / "harm-done").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_published_weight_that_is_not_finite_is_named(tmp_path, value):
    state = published_module().state_dict()
    state["up1.conv.cbr_unit.1.running_var"][0] = value
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(InputError, match=r"nan\.pth: .*decoder1\.norm\.running_var is not finite"):
        models.load(tmp_path / "nan.pth")


def test_parts_of_one_storage_stay_parts(tmp_path):
    module = published_module()
    flat = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
    start = 0
    for parameter in module.parameters():
        parameter.data = flat[start : start + parameter.numel()].view(parameter.shape)
        start += parameter.numel()
    module.up5.conv.cbr_unit[0].weight.data = module.up5.conv.cbr_unit[0].weight.data.to(
        memory_format=torch.channels_last
    )
    torch.save(module.state_dict(), tmp_path / "flat.pth")
    check_published(models.load(tmp_path / "flat.pth"), module)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_published_file_is_named(pickled, share):
    path = pickled({"model": published_module()}, False)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"BEST_checkpoint\.tar: truncated"):
        models.load(path)


def test_another_layout_is_refused_by_its_first_strange_entry(tmp_path):
    torch.save({"stem.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: no layout .* an entry 'stem\.0\.weight'"):
        models.load(tmp_path / "other.pth")


@pytest.mark.parametrize("name", ["down6.conv1", "down0.conv1", "up7.conv", "down1.conv0"])
def test_a_block_that_dim_does_not_have_is_another_layout(tmp_path, name):
    state = published_module().state_dict() | {f"{name}.cbr_unit.0.weight": torch.zeros(1, 1, 3, 3)}
    torch.save(state, tmp_path / "deep.pth")
    with pytest.raises(InputError, match=rf"looks like DIM, .*has an entry '{name}\.cbr_unit"):
        models.load(tmp_path / "deep.pth")


def test_a_cut_that_breaks_a_tie_is_refused_by_the_entry_that_does_not_fit(tmp_path):
    state = published_module().state_dict()
    for entry, value in state.items():  # what is unpooled at the places of down3
        if entry.startswith("up4.conv.cbr_unit") and value.ndim:
            state[entry] = value[:5]
    torch.save(state, tmp_path / "cut.pth")
    words = r"cut\.pth: looks like DIM, but .*decoder4\.conv\.weight is \(5, 7, 5, 5\), not \(6, "
    with pytest.raises(InputError, match=words):
        models.load(tmp_path / "cut.pth")


@pytest.mark.parametrize(
    "strange",
    [
        {"down2.conv1.cbr_unit.0.weight": torch.tensor(1.0)},
        {"down2.conv1.cbr_unit.0.weight": torch.zeros(0, 4, 3, 3)},
        {"down2.conv1.cbr_unit.1.num_batches_tracked": torch.zeros(0)},
    ],
    ids=["0-d", "empty", "no count"],
)
def test_a_misshapen_weight_is_refused_with_the_file_name(tmp_path, strange):
    torch.save(published_module().state_dict() | strange, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=r"odd\.pth: looks like DIM, but does not fit it"):
        models.load(tmp_path / "odd.pth")


def test_a_missing_block_is_refused_with_the_file_name(tmp_path):
    state = published_module().state_dict()
    state = {key: value for key, value in state.items() if not key.startswith("down3.")}
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(InputError, match=r"short\.pth: looks like DIM, but .*\[1, 1, 0, 1, 1\]"):
        models.load(tmp_path / "short.pth")


def test_nameless_tensors_are_no_network(tmp_path):
    torch.save({0: torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth: no weights of a published network"):
        models.load(tmp_path / "a.pth")


def test_a_picture_is_no_checkpoint(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(InputError, match=r"a\.tar: truncated, or no"):
        models.load(tmp_path / "a.tar")


def test_plain_pickles_are_no_checkpoints(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(InputError, match=r"a\.pkl"):
        models.load(tmp_path / "a.pkl")
