"""PSPNet: semseg's outputs and backbone, any size, cut as silenced, folded without its training."""

import json
import re

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder
from models.network import Stages
from tests.reference import SHARED, fill, needs_shared
from tests.silencing import check_cut, picture, randomised
from utils.networks.cost import macs, parameters
from utils.prune import cut, gates
from utils.prune.gates import part_of

SMALL = {"blocks": [1, 2, 1, 1], "classes": 5}
PLAN = models.scaled_plan("pspnet", 1 / 16, **SMALL)
IMAGE = picture()[:1]
SEMSEG = {
    r"layer0\.0\.conv": "layer0.0",
    r"layer0\.0\.norm": "layer0.1",
    r"layer0\.1\.conv": "layer0.3",
    r"layer0\.1\.norm": "layer0.4",
    r"layer0\.2\.conv": "layer0.6",
    r"layer0\.2\.norm": "layer0.7",
    r"(layer\d\.\d+)\.reduce\.conv": r"\1.conv1",
    r"(layer\d\.\d+)\.reduce\.norm": r"\1.bn1",
    r"(layer\d\.\d+)\.middle\.conv": r"\1.conv2",
    r"(layer\d\.\d+)\.middle\.norm": r"\1.bn2",
    r"(layer\d\.\d+)\.expand\.conv": r"\1.conv3",
    r"(layer\d\.\d+)\.expand\.norm": r"\1.bn3",
    r"(layer\d\.\d+)\.shortcut\.conv": r"\1.downsample.0",
    r"(layer\d\.\d+)\.shortcut\.norm": r"\1.downsample.1",
    r"pyramid\.(\d)\.conv": r"ppm.features.\1.1",
    r"pyramid\.(\d)\.norm": r"ppm.features.\1.2",
    **{r"fuse\.conv": "cls.0", r"fuse\.norm": "cls.1", "scores": "cls.4"},
    r"auxiliary\.0\.conv": "aux.0",
    r"auxiliary\.0\.norm": "aux.1",
    r"auxiliary\.3": "aux.4",
}


def small_pspnet(**structure) -> models.Network:
    torch.manual_seed(0)
    structure = SMALL | structure
    plan = models.scaled_plan("pspnet", 1 / 16, **structure)
    network = randomised(models.build("pspnet", plan, **structure))
    network.scores.weight.data.mul_(30)  # else little comes out
    return network


@needs_shared
def test_scores_are_the_published_ones():
    folder = SHARED / "oracles" / "networks"
    about = json.loads((folder / "pspnet50.json").read_text())
    state = fill.state_dict(about["layout_of_state_dict"], about["gain"])
    network = models.published.load({key: torch.from_numpy(value) for key, value in state.items()})
    with torch.no_grad():
        got = network(torch.from_numpy(fill.image("oracle", 1, 73, 97))).numpy()
    expected = np.load(folder / "pspnet50.npz")["logits"]
    assert np.abs(got - expected).max() / np.ptp(expected) < 1e-4
    assert network.structure == {"blocks": [3, 4, 6, 3], "classes": 21, "auxiliary": True}


@pytest.mark.parametrize("group", [g for g in PLAN if g != "auxiliary"] + ["all together"])
def test_cut_computes_what_the_silenced_network_does(group):
    check_cut(small_pspnet(), [*PLAN] if group == "all together" else [group], IMAGE)


def test_the_auxiliary_head_is_cut_with_what_it_reads():
    network = small_pspnet().train()
    network.auxiliary[2].p = 0  # no dropout
    keep = {"auxiliary": [0, 3, 5], "layer3": [*range(0, 64, 2)], "layer3.1.2": [1, 4]}
    small = cut(network.eval(), keep).train()
    assert small.auxiliary[0].conv.weight.shape == (3, 32, 3, 3)
    kept = network.auxiliary[0].conv.weight[keep["auxiliary"]][:, keep["layer3"]]
    assert torch.equal(small.auxiliary[0].conv.weight, kept)
    assert torch.equal(small.auxiliary[3].weight, network.auxiliary[3].weight[:, keep["auxiliary"]])


def test_folded_computes_the_same_without_the_auxiliary_head():
    network = small_pspnet()
    folded = network.folded()
    with torch.no_grad():
        expected, got = network(*IMAGE), folded(*IMAGE)
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert folded.auxiliary is None and "auxiliary" not in folded.plan
    again = models.build("pspnet", folded.plan, **folded.structure)
    assert again.state_dict().keys() == folded.state_dict().keys()


def test_only_training_asks_the_auxiliary_head():
    network = small_pspnet()
    stages = Stages()
    network.compute(*IMAGE, stages)
    assert stages.auxiliary is None
    scores = network.train().compute(*IMAGE, stages)
    assert stages.auxiliary.shape == scores.shape == (2, 5, 65, 70)
    without = small_pspnet(auxiliary=False).train()
    without.compute(*IMAGE, stages := Stages())
    assert stages.auxiliary is None


@pytest.mark.parametrize("size", [(34, 34), (41, 49), (40, 129)])
def test_any_size_is_labelled(size):
    network = small_pspnet().float()
    with torch.no_grad():
        assert network(torch.rand(1, 3, *size)).shape == (1, 5, *size)


def test_what_cannot_be_is_refused_in_one_line():
    network = small_pspnet().float()
    with pytest.raises(InputError, match="pspnet: a picture of 50 x 33 is smaller than the 6 x 6 "):
        network(torch.rand(1, 3, 33, 50))
    with pytest.raises(InputError, match="in a batch of one picture; train on two or more"):
        network.train().compute(torch.rand(1, 3, 64, 64), None)
    for structure, words in (
        ({"classes": 1}, "classes is 1; give a whole number from 2 to 255"),
        ({"classes": True}, "classes is True"),
        ({"blocks": [3, 4, 6]}, r"blocks is \[3, 4, 6\]; give four whole numbers"),
        ({"blocks": 3}, "blocks is 3"),
        ({"auxiliary": 1}, "auxiliary is 1; give true or false"),
    ):
        with pytest.raises(InputError, match=words):
            models.build("pspnet", **structure)


def test_stages_have_the_widths_and_strides_they_declare():
    network = small_pspnet()
    with torch.no_grad():
        _, stages = network.forward_features(torch.rand(1, 3, 65, 97).double())
    assert list(stages) == list(network.stages) == ["layer2", "layer3", "layer4"]
    for name, stage in stages.items():
        assert stage.activation.shape == (1, network.stage_widths()[name], 9, 13)
        assert torch.equal(stage.activation, stage.pre.relu())
        assert stage.norm.writes == name


def test_the_encoder_starts_from_semsegs_backbone(tmp_path):
    network = models.build("pspnet", **SMALL)
    torch.manual_seed(1)
    backbone = {
        theirs: torch.rand_like(network.state_dict()[ours])
        for ours, theirs in network.encoder().entries.items()
    }
    published = {"conv3.weight", "bn1.running_var", "layer1.0.conv1.weight"}
    published |= {"layer2.1.bn3.weight", "layer4.0.downsample.0.weight"}
    assert published <= backbone.keys()
    torch.save(backbone | {"fc.bias": torch.zeros(3)}, tmp_path / "resnet50_v2.pth")
    load_encoder(network, str(tmp_path / "resnet50_v2.pth"))
    assert torch.equal(network.layer0[2].conv.weight, backbone["conv3.weight"])
    last = network.layer2[1].expand
    assert torch.equal(last.norm.weight, backbone["layer2.1.bn3.weight"])
    assert torch.equal(
        network.layer4[0].shortcut.conv.weight, backbone["layer4.0.downsample.0.weight"]
    )


def test_torchvision_has_no_backbone_for_it():
    network = models.build("pspnet", **SMALL)
    with pytest.raises(InputError, match=r"torchvision has no weights of a ResNet .*v2"):
        load_encoder(network)


def semseg_name(entry: str) -> str:
    """What semseg calls an entry of ours."""
    for pattern, theirs in SEMSEG.items():
        entry, count = re.subn(f"^{pattern}\\.", f"{theirs}.", entry)
        if count:
            return entry
    raise AssertionError(entry)


def test_a_file_of_semsegs_training_is_read_whatever_its_widths(tmp_path):
    network = small_pspnet().float()
    state = {f"module.{semseg_name(e)}": value for e, value in network.state_dict().items()}
    assert "module.layer2.0.downsample.1.running_var" in state
    assert "module.ppm.features.3.2.bias" in state and "module.aux.4.bias" in state
    torch.save({"epoch": 50, "state_dict": state, "optimizer": {}}, tmp_path / "train_50.pth")
    again = models.load(tmp_path / "train_50.pth")
    assert (again.plan, again.structure) == (network.plan, network.structure)
    with torch.no_grad():
        assert torch.equal(again(IMAGE[0].float()), network(IMAGE[0].float()))


def test_a_bare_state_dict_of_ours_is_recognised():
    network = small_pspnet(auxiliary=False).float()
    again = models.published.load(network.state_dict())
    assert (again.name, again.plan, again.structure) == (
        network.name,
        network.plan,
        network.structure,
    )


def test_a_strange_entry_and_a_missing_one_are_named():
    state = {"ppm.features.0.1.weight": torch.zeros(4, 8, 1, 1)}
    for strange, words in (
        ({"ppm.features.4.1.weight": torch.zeros(1)}, "it has an entry 'ppm.features.4.1.weight'"),
        ({"layer1.99999.conv1.weight": torch.zeros(1)}, "has an entry 'layer1.99999.conv1.weight'"),
        ({}, "scores.bias"),
        ({"cls.4.bias": torch.zeros(())}, "blocks is"),
    ):
        with pytest.raises(InputError, match=f"looks like PSPNet of semseg, .*{words}"):
            models.published.load(state | strange)


def test_costs_and_parts_are_known():
    with torch.device("meta"):
        network = models.build("pspnet")
    assert parameters(network) == 46_716_373  # without the auxiliary head
    assert sum(value.numel() for value in network.parameters()) == 49_081_578
    assert macs(network, 473, 473) == pytest.approx(161.64e9, rel=1e-4)
    parts = {group: part_of(members) for group, members in gates(network).items()}
    head = {"pyramid1", "pyramid2", "pyramid3", "pyramid6", "fuse", "auxiliary"}
    assert {group for group, part in parts.items() if part == "decoder"} == head
