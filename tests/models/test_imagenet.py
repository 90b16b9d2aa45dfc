"""DIM's encoder from ImageNet's VGG-16: the right tensors, or a line that says what to do."""

import urllib.error

import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder

torchvision = pytest.importorskip("torchvision")


@pytest.fixture
def vgg(monkeypatch):
    """torchvision's own loading code over a state dict made here instead of a download."""
    torch.manual_seed(0)
    state = torchvision.models.vgg16_bn(num_classes=1).features.state_dict()
    state = {f"features.{key}": torch.rand_like(value.float()) for key, value in state.items()}
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda url, **_: state)
    return state


@pytest.mark.slow
def test_the_encoder_takes_weights_and_statistics_and_ignores_the_trimap_at_first(vgg):
    network = models.build("dim")
    load_encoder(network)
    first = network.encoder1.units[0].conv.weight
    assert torch.equal(first[:, :3], vgg["features.0.weight"])
    assert not first[:, 3:].any()
    last = network.encoder5.units[2]
    assert torch.equal(last.conv.weight, vgg["features.40.weight"])
    assert torch.equal(last.conv.bias, vgg["features.40.bias"])
    assert torch.equal(last.norm.running_var, vgg["features.41.running_var"])
    assert torch.equal(network.encoder3.units[1].norm.weight, vgg["features.18.weight"])


@pytest.mark.parametrize("convolutions", [[2, 2, 3, 3, 3], [1, 1, 1, 2, 2]])
def test_another_width_or_depth_is_refused(convolutions):
    structure = {"convolutions": convolutions}
    network = models.build("dim", models.scaled_plan("dim", 1 / 32, **structure), **structure)
    with pytest.raises(
        InputError, match=r"network\.pretrained: ImageNet weights fit the encoder of dim"
    ):
        load_encoder(network)


@pytest.mark.slow
def test_where_nothing_can_be_downloaded_it_says_which_file_goes_where(monkeypatch):
    def offline(url: str, **_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=r"put vgg16_bn-\w+\.pth into .*checkpoints"):
        load_encoder(models.build("dim"))
