"""PSPNet: its auxiliary head, sizes and backbone."""

import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder
from models.network import Stages
from tests.models.small import SHALLOW, small
from tests.silencing import picture
from utils.prune import cut

IMAGE = picture()[:1]


def test_the_auxiliary_head_is_cut_with_what_it_reads():
    network = small("pspnet").train()
    network.auxiliary[2].p = 0  # no dropout
    keep = {"auxiliary": [0, 3, 5], "layer3": [*range(0, 64, 2)], "layer3.1.2": [1, 4]}
    narrow = cut(network.eval(), keep).train()
    assert narrow.auxiliary[0].conv.weight.shape == (3, 32, 3, 3)
    kept = network.auxiliary[0].conv.weight[keep["auxiliary"]][:, keep["layer3"]]
    assert torch.equal(narrow.auxiliary[0].conv.weight, kept)
    assert torch.equal(
        narrow.auxiliary[3].weight, network.auxiliary[3].weight[:, keep["auxiliary"]]
    )


def test_only_training_asks_the_auxiliary_head():
    network = small("pspnet")
    stages = Stages()
    network.compute(*IMAGE, stages)
    assert stages.auxiliary is None
    scores = network.train().compute(*IMAGE, stages)
    assert stages.auxiliary.shape == scores.shape == (2, 5, 65, 70)
    without = small("pspnet", auxiliary=False).train()
    without.compute(*IMAGE, stages := Stages())
    assert stages.auxiliary is None


@pytest.mark.parametrize("size", [(34, 34), (41, 49), (40, 129)])
def test_any_size_is_labelled(size):
    network = small("pspnet").float()
    with torch.no_grad():
        assert network(torch.rand(1, 3, *size)).shape == (1, 5, *size)


def test_a_picture_too_small_and_a_batch_too_small_are_refused_in_one_line():
    network = small("pspnet").float()
    with pytest.raises(InputError, match="pspnet: a picture of 50 x 33 is smaller than the 6 x 6 "):
        network(torch.rand(1, 3, 33, 50))
    with pytest.raises(InputError, match="in a batch of one picture; train on two or more"):
        network.train().compute(torch.rand(1, 3, 64, 64), None)


def test_deployment_drops_the_auxiliary_head():
    folded = small("pspnet").folded()
    assert folded.auxiliary is None and "auxiliary" not in folded.plan


def test_the_encoder_starts_from_semsegs_backbone(tmp_path):
    network = models.build("pspnet", **SHALLOW["pspnet"])
    torch.manual_seed(1)
    backbone = {
        theirs: torch.rand_like(network.state_dict()[ours])
        for ours, theirs in network.encoder().entries.items()
    }
    torch.save(backbone | {"fc.bias": torch.zeros(3)}, tmp_path / "resnet50_v2.pth")
    load_encoder(network, str(tmp_path / "resnet50_v2.pth"))
    assert torch.equal(network.layer0[2].conv.weight, backbone["conv3.weight"])
    assert torch.equal(network.layer2[1].expand.norm.weight, backbone["layer2.1.bn3.weight"])
    shortcut = network.layer4[0].shortcut.conv.weight
    assert torch.equal(shortcut, backbone["layer4.0.downsample.0.weight"])
    with pytest.raises(InputError, match=r"torchvision has no weights of a ResNet .*v2"):
        load_encoder(network)
