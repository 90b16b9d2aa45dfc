"""DIM's encoder from ImageNet's VGG-16: the right tensors, or a line that says what to do."""

import argparse
import urllib.error

import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder
from tests.refusals import refused

torchvision = pytest.importorskip("torchvision")


@pytest.fixture
def vgg(monkeypatch):
    """torchvision's own loading code over a state dict made here instead of a download."""
    torch.manual_seed(0)
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"], True)
    state = {f"features.{k}": torch.rand_like(v.float()) for k, v in features.state_dict().items()}
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda url, **_: state)
    return state


@pytest.mark.slow
def test_the_encoder_takes_weights_and_statistics_of_a_download_or_a_wrapped_file(tmp_path, vgg):
    network, other = models.build("dim"), models.build("dim")
    load_encoder(network)
    first, last = network.encoder1.units[0], network.encoder5.units[2]
    assert torch.equal(first.conv.weight[:, :3], vgg["features.0.weight"])
    assert not first.conv.weight[:, 3:].any()  # the trimap is ignored at first
    assert torch.equal(last.conv.weight, vgg["features.40.weight"])
    assert torch.equal(last.norm.running_var, vgg["features.41.running_var"])
    assert torch.equal(network.encoder3.units[1].norm.weight, vgg["features.18.weight"])
    state = {f"module.{name}": value for name, value in vgg.items()}
    torch.save({"epoch": 3, "model": state, "args": argparse.Namespace(lr=1)}, tmp_path / "a.pth")
    load_encoder(other, str(tmp_path / "a.pth"))
    kept = other.encoder1.state_dict()
    assert all(torch.equal(v, kept[k]) for k, v in network.encoder1.state_dict().items())


def test_another_width_is_refused():
    network = models.build("dim", models.scaled_plan("dim", 1 / 32))
    words = "network.pretrained: ImageNet weights fit the encoder of dim"
    assert words in refused(load_encoder, network)


def test_a_damaged_file_in_the_cache_is_named_with_what_to_do(tmp_path, monkeypatch):
    weights = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1
    file = tmp_path / "hub" / "checkpoints" / weights.url.rsplit("/", 1)[1]
    file.parent.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.save({"features.0.0.weight": torch.rand(32, 3, 3, 3)}, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    line = refused(load_encoder, models.build("mobile_unet"))
    assert f"network.pretrained: {file} could not be" in line and "remove it if it is" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "gone.pth: no such file; give its path, or imagenet"),
        ({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, "holds no features.0.1."),
        ({"features.0.0.weight": torch.zeros(3, 3, 3, 3)}, "is (3, 3, 3, 3), not (32, 6, 3, 3)"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, content, words):
    path = tmp_path / "gone.pth"
    if content:
        torch.save(content, path)
    line = refused(load_encoder, models.build("mobile_unet"), str(path))
    assert line.startswith("network.pretrained: ") and words in line and path.name in line


@pytest.mark.slow
def test_where_nothing_can_be_downloaded_it_says_which_file_goes_where(monkeypatch):
    def offline(url: str, **_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(
        InputError, match=r"checkpoints/vgg16_bn-\w+\.pth could not be .* put it there"
    ):
        load_encoder(models.build("dim"))


def test_the_encoder_is_torchvisions_vgg16_and_ignores_the_trimap_at_first(tmp_path):
    vgg = torchvision.models.vgg
    torch.manual_seed(0)
    features = vgg.make_layers(vgg.cfgs["D"])
    for layer in features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    torch.save(state, tmp_path / "vgg16.pth")
    network = models.build("dim_vgg").eval()
    load_encoder(network, str(tmp_path / "vgg16.pth"))
    image, trimap = torch.rand(1, 3, 32, 64), torch.rand(1, 1, 32, 64)
    with torch.no_grad():
        _, stages = network.forward_features(image, trimap)
        expected = features(network.normalise(image))
    torch.testing.assert_close(stages["encoder5"].activation, expected)
    assert not network.encoder1.units[0].conv.weight[:, 3].any()


def test_the_wide_conv6_is_the_classifiers_first_layer(tmp_path, monkeypatch):
    monkeypatch.setattr("models.dim_vgg.WIDE", (6, 7))
    torch.manual_seed(0)
    network = models.build("dim_vgg", refine=False, wide=True)
    entries, ours = network.encoder().entries, network.state_dict()
    state = {name: torch.rand_like(ours[entry]) for entry, name in entries.items()}
    state["features.0.weight"] = torch.rand(64, 3, 3, 3)
    state["classifier.0.weight"] = state["classifier.0.weight"].flatten(1)
    torch.save(state, tmp_path / "vgg16.pth")
    load_encoder(network, str(tmp_path / "vgg16.pth"))
    assert torch.equal(network.encoder6.conv.weight.flatten(1), state["classifier.0.weight"])
