"""MobileUnet: torchvision's encoder, any size, cut as silenced, folded, smaller than DIM."""

import pytest
import torch

import models
from models.errors import InputError
from models.files.imagenet import load_encoder
from tests.silencing import check_cut, picture, randomised
from utils.networks.cost import macs, parameters
from utils.prune import gates
from utils.prune.gates import part_of

WIDTH = 1 / 4
SKIPS = {1: "encoder1", 3: "encoder2", 6: "encoder3", 13: "encoder4", 17: "encoder5"}
PLAN = models.scaled_plan("mobile_unet", WIDTH)


def small_unet(**structure) -> models.Network:
    torch.manual_seed(0)
    network = randomised(models.build("mobile_unet", PLAN, **structure))
    network.matte.weight.data.mul_(3)  # else little comes out
    return network


@pytest.mark.parametrize(
    ("group", "guess"), [*((group, False) for group in [*PLAN, "all together"]), ("layer0", True)]
)
def test_cut_computes_what_the_silenced_network_does(group, guess):
    network = small_unet(guess=guess).train(False)
    network.forward = lambda *inputs: network.compute(*inputs, None)  # clamping would hide errors
    check_cut(network, [*PLAN] if group == "all together" else [group], picture())


def test_folded_computes_the_same():
    network = small_unet()
    with torch.no_grad():
        expected = network.compute(*picture(), None)
        got = network.folded().compute(*picture(), None)
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_the_encoder_is_torchvisions_mobilenet_v2(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = randomised(torchvision.models.mobilenet_v2()).float()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    network = models.build("mobile_unet").eval()
    load_encoder(network, str(tmp_path / "theirs.pth"))
    image, trimap = torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        _, stages = network.forward_features(image, trimap)
        x = network.normalise(image)
        for index, layer in enumerate(theirs.features[:18]):
            x = layer(x)
            if index in SKIPS:
                ours = stages[SKIPS[index]].activation
                torch.testing.assert_close(ours / x.std(), x / x.std())  # they are small


def test_a_narrower_encoder_and_a_file_of_something_else_are_refused(tmp_path):
    torch.save({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"holds no features\.0\.1\.weight; .*mobilenet_v2"):
        load_encoder(models.build("mobile_unet"), str(tmp_path / "other.pth"))
    with pytest.raises(InputError, match="fit the encoder of mobile_unet at full width"):
        load_encoder(models.build("mobile_unet", PLAN), str(tmp_path / "other.pth"))
    with pytest.raises(InputError, match="no such file; give its path, or imagenet"):
        load_encoder(models.build("mobile_unet"), "gone.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="truncated, or no state dict"):
        load_encoder(models.build("mobile_unet"), str(tmp_path / "broken.safetensors"))


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 32), (40, 129)])
def test_any_size_is_matted(size):
    network = models.build("mobile_unet", PLAN).eval()
    with torch.no_grad():
        alpha = network(torch.rand(1, 3, *size), torch.full((1, 1, *size), 128 / 255))
    assert alpha.shape == (1, 1, *size)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_stages_have_the_widths_and_strides_they_declare():
    network = models.build("mobile_unet", PLAN).eval()
    with torch.no_grad():
        _, stages = network.forward_features(*network.example(1, 64, 96))
    assert list(stages) == list(network.stages)
    widths = {name: stage.activation.shape[1] for name, stage in stages.items()}
    assert widths == network.stage_widths()
    strides = {name: 96 // stage.activation.shape[3] for name, stage in stages.items()}
    encoder = {f"encoder{k}": 2**k for k in range(1, 6)}
    assert strides == encoder | {f"decoder{k}": 2**k for k in range(1, 5)}
    assert all(stage.norm.num_features == widths[name] for name, stage in stages.items())


def test_the_decoder_can_be_wider_and_nonsense_is_refused():
    wide = models.build("mobile_unet", decoder=1.5)
    assert wide.plan["decoder3"] == 72 and wide.plan["layer3"] == 32
    for value in (0, -1, True, "wide"):
        with pytest.raises(InputError, match=r"mobile_unet: decoder is .*; give a number above 0"):
            models.build("mobile_unet", decoder=value)


def test_the_guess_of_colours_is_read_at_both_ends_and_nonsense_is_refused():
    plain, guessing = small_unet(), small_unet(guess=True)
    assert guessing.plan == plain.plan
    image, trimap = picture()
    image, trimap = image.float(), trimap.float()
    guessing.float().eval()
    kept = {name: value.clone() for name, value in guessing.state_dict().items()}
    with torch.no_grad():
        before = guessing.compute(image, trimap, None)
        for entry in ("layer0.conv.weight", "detail.conv.weight"):
            guessing.load_state_dict(kept)
            guessing.state_dict()[entry][:, -7:] = 0
            assert (guessing.compute(image, trimap, None) - before).abs().max() > 1e-4
    with pytest.raises(InputError, match="guess is 1; give true or false"):
        models.build("mobile_unet", guess=1)


@pytest.mark.parametrize("guess", [False, True])
def test_a_bare_state_dict_tells_plan_and_guess(tmp_path, guess):
    network = small_unet(guess=guess).float()
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    found = models.load(tmp_path / "bare.pth")
    assert found.plan == PLAN and found.structure["guess"] == guess
    state = network.state_dict()
    assert all(weight.equal(state[entry]) for entry, weight in found.state_dict().items())


def test_a_first_entry_without_channels_is_named_with_the_shape_that_fits(tmp_path):
    torch.save(
        small_unet().state_dict() | {"layer0.conv.weight": torch.zeros(3)}, tmp_path / "a.pth"
    )
    with pytest.raises(InputError, match=r"layer0.conv.weight is \(3,\), not \(\d+, 6, 3, 3\)"):
        models.load(tmp_path / "a.pth")


def test_it_costs_a_fortieth_of_dim_and_its_decoder_is_a_part():
    network = models.build("mobile_unet")
    assert parameters(network) == 2_153_549
    assert macs(network, 224, 224) == pytest.approx(0.652e9, rel=0.001)
    parts = {group: part_of(members) for group, members in gates(network).items()}
    decoder = {"context", "decoder4.1", "decoder4", "decoder3.1", "decoder3", "decoder2"}
    assert {g for g, part in parts.items() if part == "decoder"} == decoder | {"decoder1", "detail"}


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_full_resolution_is_computed_in_the_layout_of_the_weights(layout):
    network = small_unet(guess=True).float().to(memory_format=layout)
    seen = []
    network.detail.register_forward_pre_hook(lambda _, maps: seen.extend(maps))
    image, trimap = (one.float() for one in picture())
    for form in (torch.channels_last, torch.contiguous_format):
        with torch.no_grad():
            network(image.contiguous(memory_format=form), trimap)
    assert len(seen) == 4 and all(one.is_contiguous(memory_format=layout) for one in seen)
