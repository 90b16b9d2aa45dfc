"""Encoders from ImageNet's classifiers: the right tensors, or a line that says what to do."""

import argparse
import urllib.error

import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder
from tests.refusals import refused

torchvision = pytest.importorskip("torchvision")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classifier"),
    [
        *(("dim", "vgg16_bn"), ("dim_vgg", "vgg16")),
        *((name, "mobilenet_v2") for name in ("indexnet", "mobile_unet")),
    ],
)
def test_the_encoder_takes_a_download_or_a_wrapped_file_layer_by_layer(
    tmp_path, monkeypatch, name, classifier
):
    torch.manual_seed(0)
    with torch.device("meta"):
        features = torchvision.models.get_model(classifier).features.state_dict()
    state = {f"features.{entry}": torch.rand(like.shape) for entry, like in features.items()}
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda url, **_: state)
    network, other = models.build(name), models.build(name)
    load_encoder(network)
    theirs = [value for entry, value in state.items() if "num_batches" not in entry]
    encoder = network.encoder().entries
    ours = [value for entry, value in network.state_dict().items() if entry in encoder]
    assert len(ours) > 20 and all(map(torch.equal, ours[1:], theirs[1:]))
    assert torch.equal(ours[0][:, :3], theirs[0]) and not ours[0][:, 3:].any()  # the trimap

    wrapped = {f"module.{entry}": value for entry, value in state.items()}
    content = {"epoch": 3, "model": wrapped, "args": argparse.Namespace(lr=1)}
    torch.save(content, tmp_path / "a.pth")
    load_encoder(other, str(tmp_path / "a.pth"))
    kept = other.state_dict()
    assert all(torch.equal(network.state_dict()[entry], kept[entry]) for entry in encoder)


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
