"""Published checkpoints: modules and state dicts of others as networks of ours, or one line."""

import argparse
import collections
import datetime
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import models
from models.files.reading import HUSKS
from models.network import Network
from models.published.layouts import LAYOUTS
from tests import scripts
from tests.refusals import refused
from tests.trainings import TINY


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


class AttributeDict(dict):  # as Lightning and omegaconf pickle their hyperparameters
    pass


class HistoryBuffer:  # as mmengine does
    def __init__(self) -> None:
        self._log_history, self._methods = np.arange(3.0), {"mean": HistoryBuffer.mean}

    def mean(self) -> float:
        return 0.0


CLASSES = (conv2DBatchNormRelu, Block, DIMModel, AttributeDict, HistoryBuffer)


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


in_both_formats = pytest.mark.parametrize(
    "new_format", [True, False], ids=["zip", "before torch 1.6"]
)


def beside() -> dict[str, object]:
    """What scripts leave beside the weights."""
    return {
        "loss": np.float64(0.1),
        "history": np.arange(3.0),
        "type": np.dtype("float32"),
        "counts": collections.Counter("abca"),
        "groups": collections.defaultdict(list, {"a": [1]}),
        "args": argparse.Namespace(lr=0.1, out=Path("result"), dtype=torch.float16),
        "device": torch.device("cpu"),
        "shape": torch.Size((1, 2)),
        "seen": {1, 2},
        "fixed": frozenset("ab"),
        "when": datetime.datetime(2026, 1, 1),
        "torch": torch.__version__,
        "hyper_parameters": AttributeDict(lr=0.1),
        "message_hub": HistoryBuffer(),
    }


@in_both_formats
def test_a_pickled_module_is_read_without_its_classes_whatever_lies_beside_it(pickled, new_format):
    module = published_module()
    optimizer = torch.optim.Adam(module.parameters(), lr=0)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()  # its state is by parameter
    content = beside() | {"model": nn.DataParallel(module), "optimizer": optimizer}
    path = pickled(content, new_format)
    assert not hasattr(models, "DIMModel")
    check_published(models.published.load(path), module)
    check_published(models.load(path), module)
    state = beside() | {"state_dict": module.state_dict()}
    check_published(models.load(pickled(state, new_format)), module)


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
        assert "program.pt: a TorchScript program" in refused(read, path)


class Calls:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@in_both_formats
@pytest.mark.parametrize("function", [os.system, eval, torch.load])
def test_nothing_in_a_file_is_run(tmp_path, monkeypatch, new_format, function):
    monkeypatch.chdir(tmp_path)
    command = "touch harm-done" if function is os.system else "open('harm-done', 'w')"
    harm = Calls(function, command)
    for content in ({"model": harm}, {"state_dict": {"a.b": harm}, "x": harm}):
        torch.save(content, "evil.tar", _use_new_zipfile_serialization=new_format)
        line = scripts.refusal("convert.py", "evil.tar", "out.safetensors")
        assert line.startswith("evil.tar: ")
        assert [path.name for path in tmp_path.iterdir()] == ["evil.tar"]


def test_what_a_file_names_cannot_be_changed():
    attributes = b"}X\x07\x00\x00\x00patchedK\x01s"
    HUSKS.load(io.BytesIO(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + attributes + b"b."))
    assert not hasattr(torch._utils._rebuild_tensor_v2, "patched")


# --- where the weights are ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    structure = {"convolutions": [1, 2, 1, 1, 2]}
    plan = models.scaled_plan("dim", TINY, **structure) | {"encoder2.1": 5}
    return models.build("dim", plan, **structure).eval()


def same(one, other) -> bool:
    state = other.state_dict()
    return one.plan == other.plan and all(
        torch.equal(value, state[name]) for name, value in one.state_dict().items()
    )


@pytest.mark.parametrize("prefix", ["module.", "net.", "net.module._orig_mod.module."])
def test_what_stands_before_all_names_is_dropped(network, prefix):
    state = {prefix + name: value for name, value in network.state_dict().items()}
    assert same(models.published.load(state), network)


def test_the_counter_of_an_averaged_model_and_the_names_of_a_compiled_part_are_dropped(network):
    averaged = torch.optim.swa_utils.AveragedModel(network).state_dict()
    assert "n_averaged" in averaged and same(models.published.load(averaged), network)
    state = {
        name.replace("encoder1.", "encoder1._orig_mod."): value
        for name, value in network.state_dict().items()
    }
    assert same(models.published.load(state), network)


@pytest.mark.parametrize("keys", [("model_state_dict",), ("ema", "network"), ("weights",)])
def test_wrappers_are_opened_in_any_order(network, tmp_path, keys):
    content = network.state_dict()
    for key in keys:
        content = {"epoch": 3, "model": {"name": "dim"}, key: content}
    torch.save(content, tmp_path / "wrapped.pth")
    assert same(models.load(tmp_path / "wrapped.pth"), network)


@pytest.mark.parametrize("keys", [("model", "ema"), ("module", "module_ema")])
def test_averaged_weights_are_preferred_and_that_is_said(network, caplog, keys):
    averaged = {name: value + 1 for name, value in network.state_dict().items()}
    found = models.published.load(dict(zip(keys, (network.state_dict(), averaged), strict=True)))
    assert torch.equal(found.decoder1.conv.bias, network.decoder1.conv.bias + 1)
    words = f"holds {keys[1]!r}, averaged weights, beside {keys[0]!r}; took {keys[1]!r}"
    assert words in caplog.text


def test_averages_of_parameters_alone_are_not_taken(network, caplog):
    parameters = dict(network.named_parameters())
    found = models.published.load({"model": network.state_dict(), "ema": parameters})
    assert same(found, network)
    assert "took 'model', since the averaged ones lack entries" in caplog.text


def test_averaged_weights_beside_others_in_one_state_dict_are_preferred(network, caplog):
    ours = network.state_dict()
    flat = {f"generator.{name}": value for name, value in ours.items()}
    flat |= {f"generator_ema.{name}": value + 1 for name, value in ours.items()}
    found = models.published.load({"state_dict": flat})
    assert torch.equal(found.decoder1.conv.bias, network.decoder1.conv.bias + 1)
    assert "took 'generator_ema'" in caplog.text


def test_a_safetensors_file_of_somebody_else_is_a_bare_state_dict(network, tmp_path):
    safetensors.torch.save_file(network.state_dict(), tmp_path / "a.safetensors", {"format": "pt"})
    assert same(models.load(tmp_path / "a.safetensors"), network)


def test_a_file_without_weights_or_with_two_networks_says_what_it_holds(network, tmp_path):
    state = network.state_dict()
    line = refused(models.published.load, {"student": state, "teacher": state})
    assert "no weights of a published network in it (it holds 'student', 'teacher')" in line
    torch.save({"weights_of_mine": {"a": 1}, 0: torch.zeros(1)}, tmp_path / "a.pth")
    line = refused(models.load, tmp_path / "a.pth")
    assert "a.pth: no weights of a published network in it (it holds 'weights_of_mine', " in line


# --- layouts --------------------------------------------------------------------------------------

INDEX = {"index": "holistic", "nonlinear": False, "context": False}
STRUCTURES = [
    ("dim", {"convolutions": [1, 2, 1, 3, 2]}),
    *(("dim_vgg", structure) for structure in ({}, {"refine": False})),
    *(("gca", {"spectral": spectral}) for spectral in (True, False)),
    *(("indexnet", structure) for structure in ({}, {"nonlinear": False}, {"context": False})),
    *(("indexnet", {"index": "o2o", **more}) for more in ({}, {**INDEX, "index": "o2o"})),
    *(("indexnet", structure) for structure in ({"index": "holistic"}, INDEX, {"aspp": False})),
    *(("indexnet", {"decoder": decoder}) for decoder in ("unet", "unpool")),
    ("indexnet", {"decoder": "unpool", "aspp": False}),
    *(("mobile_unet", {"guess": guess}) for guess in (True, False)),
    ("pspnet", {"blocks": [1, 2, 1, 1], "classes": 5, "auxiliary": True}),
    ("pspnet", {"blocks": [2, 1, 1, 2], "classes": 3, "auxiliary": False}),
]


def small(name: str, structure: dict) -> Network:
    """With a width of its own for each group that may have one."""
    torch.manual_seed(0)
    plan = models.scaled_plan(name, 1 / 16, **structure)
    plan = {group: max(4, width) + i % 3 for i, (group, width) in enumerate(plan.items())}
    return models.build(name, plan, **structure).eval()


def published_state(network: Network) -> dict[str, torch.Tensor]:
    """The weights of a network of ours under their published names."""
    nonlinear = network.structure.get("nonlinear")
    wanted = [one for one in LAYOUTS if one.name == network.name][-1 if nonlinear else 0]
    names = {}
    for theirs, ours in wanted.layers.items():
        if network.structure.get("index") == "holistic" and "indexnet1" in theirs:
            continue
        names.setdefault(ours, theirs)
    state, spectral = {}, models.published.SPECTRAL
    for entry, value in network.state_dict().items():
        layer, _, what = entry.replace(
            ".parametrizations.weight", "|parametrizations.weight"
        ).partition("|")
        if what:
            what = next(theirs for theirs, ours in spectral.items() if ours == what)
            state[f"{names[layer]}.module.{what}"] = value
        else:
            layer, _, what = entry.rpartition(".")
            state[f"{names[layer]}.{what}"] = value
    return state


@pytest.mark.parametrize(("name", "structure"), STRUCTURES)
def test_a_state_dict_of_ours_or_of_the_release_tells_structure_and_plan(name, structure):
    network = small(name, structure)
    ours = network.state_dict()
    states = [ours]
    unreleased = name == "mobile_unet" or structure.get("decoder") == "unpool"
    if not unreleased and structure.get("spectral", True):
        released = {f"module.{entry}": value for entry, value in published_state(network).items()}
        states.append({"epoch": 3, "state_dict": released, "optimizer": {}})
    for state in states:
        found = models.published.load(state)
        assert (found.name, found.structure, found.plan) == (name, network.structure, network.plan)
        assert all(torch.equal(value, ours[entry]) for entry, value in found.state_dict().items())


ATTENTION = "decoder.layer3.0.upsample.1.module.weight_u"
WRONG = [  # what an entry is, if it is there, and what is said of it
    ("dim", "down6.conv1.cbr_unit.0.weight", (), "does not fit it (it has an entry 'down6.conv1."),
    ("dim", "down2.conv1.cbr_unit.0.weight", (), "encoder2.units.0.conv.weight is ()"),
    ("dim", "up1.conv.cbr_unit.1.num_batches_tracked", (0,), "num_batches_tracked is (0,)"),
    ("dim", "down3.conv1.cbr_unit.0.weight", None, "[1, 2, 0, 3, 2]"),
    ("dim_vgg", "conv6_1.weight", (32, 32, 1, 1), "1x1: a file from before September 2019"),
    ("dim_vgg", "conv6_1.weight", None, "'encoder6.conv.weight' is missing"),
    ("gca", "encoder.layer9.0.conv1.module.weight_bar", (1,), "has an entry 'encoder.layer9.0."),
    ("gca", "encoder.layer1.2.bn2.weight", (77,), "77"),
    ("gca", ATTENTION, None, "decoder2.0.shortcut.0.conv"),
    ("indexnet", "decoder_layer7.dconv.0.weight", (), "has an entry 'decoder_layer7.dconv."),
    ("indexnet", "decoder_layer1.dconv.0.weight", (2, 8, 5, 5), "decoder1.conv.weight is ("),
    ("indexnet", "index3.indexnet2.1.bias", None, "'index3.branches.1.0.norm.bias' is missing"),
    ("pspnet", "layer1.99999.conv1.weight", (1,), "has an entry 'layer1.99999.conv1.weight'"),
    ("pspnet", "cls.4.bias", (77,), "77"),
]


@pytest.mark.parametrize(("name", "entry", "shape", "words"), WRONG)
def test_a_strange_or_missing_entry_and_one_of_another_shape_are_named(name, entry, shape, words):
    structure = next(structure for other, structure in STRUCTURES if other == name)
    state = published_state(small(name, structure))
    state.pop(entry, None)
    if shape is not None:
        state[entry] = torch.zeros(shape)
    line = refused(models.published.load, state)
    assert line.startswith("state dict: ") and words in line


def test_another_network_is_refused_by_its_first_entries():
    line = refused(models.published.load, {"stem.0.weight": torch.zeros(1)})
    assert "no layout known here has an entry 'stem.0.weight'" in line
    state = published_module().state_dict()
    strange = {f"{name}.more": torch.zeros(1) for name in "abcd"}
    line = refused(models.published.load, state | strange)
    assert "looks like DIM, but " in line
    assert line.endswith("(it has an entry 'a.more', 'b.more', 'c.more' and 1 more)")


@pytest.mark.parametrize(
    ("network", "classifier"),
    [("dim", "vgg16_bn"), ("dim_vgg", "vgg16"), ("mobile_unet", "mobilenet_v2")],
)
def test_weights_of_a_classifier_are_told_with_what_to_do_with_them(tmp_path, network, classifier):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        entries = torchvision.models.get_model(classifier).state_dict()
    path = tmp_path / f"{classifier}.pth"
    torch.save({name: torch.zeros(1) for name in entries}, path)
    line = scripts.refusal("convert.py", path, tmp_path / "out.safetensors")
    assert f"weights of the classifier {classifier}, not of a whole network" in line
    assert network in line.partition("network.name=")[2].partition(" and ")[0].split(" or ")
    assert line.endswith(f"network.pretrained={path}")


def test_a_converted_file_is_told_by_what_it_is(tmp_path, caplog, capsys):
    caplog.set_level("INFO")
    torch.save({"model": published_module().state_dict()}, tmp_path / "spkd.tar")
    scripts.main("convert.py", tmp_path / "spkd.tar", tmp_path / "spkd.safetensors")
    told = "spkd.tar: found DIM, dim here; 2 entries that only its training needs are left out"
    assert told in caplog.text
    assert "parameters" in capsys.readouterr().out
    network = models.load(tmp_path / "spkd.safetensors")
    assert network.name == "dim" and network.structure == {"convolutions": [1] * 5}
