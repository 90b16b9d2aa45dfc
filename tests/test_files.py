"""Network files: round trips, published checkpoints, and what is refused."""

import errno
import io
import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import models
from models import files, plain_pickle
from models.atomic import atomic
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


def test_a_damaged_file_is_named(network, tmp_path):
    path = tmp_path / "a.tar"
    torch.save(files.record(network), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    key = str(network.decoder1.conv.weight.untyped_storage()._cdata).encode()
    assert data.count(key) >= 2
    path.write_bytes(data.replace(key, key[::-1], 1))
    with pytest.raises(InputError, match=r"a\.tar: truncated"):
        models.load(path)


@pytest.mark.parametrize("name", ["half.safetensors", "half.tar"])
def test_half_a_file_holds_the_same_network_in_float16(network, tmp_path, name):
    files.save_network(tmp_path / f"whole{name[4:]}", network)
    files.save_network(tmp_path / name, network, half=True)
    sizes = [(tmp_path / file).stat().st_size for file in (name, f"whole{name[4:]}")]
    assert sizes[0] < 0.7 * sizes[1]
    again = models.load(tmp_path / name)
    for key, value in network.state_dict().items():
        kept = again.state_dict()[key]
        assert kept.dtype == value.dtype
        assert torch.equal(kept, value.half().to(value) if value.is_floating_point() else value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tar: no such checkpoint"):
        models.load(tmp_path / "none.tar")


def test_weights_of_another_network_are_refused(network, tmp_path):
    content = files.record(network)
    content["plan"] = content["plan"] | {"encoder1.1": 7}
    files.save(tmp_path / "a.tar", content)
    with pytest.raises(InputError, match=r"a\.tar: its weights do not fit"):
        models.load(tmp_path / "a.tar")


@pytest.mark.parametrize(
    "strange",
    [
        {"plan": [64, 64]},
        {"plan": 3},
        {"structure": [1, 2]},
        {"structure": {"convolutions": 2}},
        {"name": ["dim"]},
        {"weights": [1]},
        {"weights": {1: torch.zeros(1)}},
        {"weights": {"encoder1.units.0.norm.num_batches_tracked": torch.zeros(0)}},
    ],
    ids=str,
)
def test_a_malformed_description_is_refused_with_the_file_name(network, tmp_path, strange):
    files.save(tmp_path / "a.tar", files.record(network) | strange)
    with pytest.raises(InputError, match=r"a\.tar: its weights do not fit") as error:
        models.load(tmp_path / "a.tar")
    assert "\n" not in str(error.value)


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


@pytest.mark.parametrize("name", [".", "folder"])
def test_a_folder_is_no_name_for_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder; name a file"), atomic(name):
        pytest.fail("nothing should be written")
    for read in (models.load, models.published.load):
        with pytest.raises(InputError, match="is a folder; name a checkpoint in it"):
            read(name)


@pytest.mark.parametrize("name", ["file/a.tar", "file/new/a.tar"])
def test_a_file_in_place_of_a_folder_is_named(network, tmp_path, name):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match=rf"{name}: cannot be written"):
        files.save_network(tmp_path / name, network)
    assert (tmp_path / "file").read_text() == "kept"


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
    path = tmp_path / "payload"
    path.write_bytes(payload)
    if module.startswith("models"):
        with path.open("rb") as file:
            assert type(plain_pickle._load(file)) is plain_pickle.Husk
    else:
        with path.open("rb") as file, pytest.raises(InputError, match="refused"):
            plain_pickle._load(file)


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


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before torch 1.6"])
def test_numpy_scalars_beside_the_weights_do_no_harm(pickled, new_format):
    module = published_module()
    scalars = {"loss": np.float64(0.1), "epoch": np.int64(3)}
    check_published(models.load(pickled(scalars | {"model": module}, new_format)), module)
    state = scalars | {"state_dict": module.state_dict()}
    check_published(models.published.load(pickled(state, new_format)), module)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numpy_scalars_of_any_release_are_inert(module):
    data = pickle.dumps(np.float64(0.1), 2)
    name = np.float64(0.1).__reduce__()[0].__module__
    data = data.replace(f"c{name}\n".encode(), f"c{module}\n".encode())
    assert type(plain_pickle._load(io.BytesIO(data))) is plain_pickle.Husk


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_published_file_is_named(pickled, share):
    path = pickled({"model": published_module()}, False)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"BEST_checkpoint\.tar: truncated"):
        models.load(path)


def test_another_layout_is_refused_by_its_first_strange_entry(tmp_path):
    torch.save({"layer0.0.weight": torch.zeros(1)}, tmp_path / "gca.pth")
    with pytest.raises(InputError, match=r"gca\.pth: no layout .* an entry 'layer0\.0\.weight'"):
        models.load(tmp_path / "gca.pth")


@pytest.mark.parametrize("name", ["down6.conv1", "down0.conv1", "up7.conv", "down1.conv0"])
def test_a_block_that_dim_does_not_have_is_another_layout(tmp_path, name):
    state = published_module().state_dict() | {f"{name}.cbr_unit.0.weight": torch.zeros(1, 1, 3, 3)}
    torch.save(state, tmp_path / "deep.pth")
    with pytest.raises(InputError, match=rf"looks like DIM, .*has an entry '{name}\.cbr_unit"):
        models.load(tmp_path / "deep.pth")


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
