"""MobileUnet: torchvision's encoder, colours carried into the unknown region, its decoder."""

import numpy as np
import pytest
import torch

import models
from models import mobile_unet
from models.files.imagenet import load_encoder
from models.layers.propagation import LIKENESS, ColourGuess
from tests.models.small import small
from tests.silencing import picture, randomised

SKIPS = {1: "encoder1", 3: "encoder2", 6: "encoder3", 13: "encoder4", 17: "encoder5"}


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


def test_the_decoder_can_be_wider():
    wide = models.build("mobile_unet", decoder=1.5)
    assert wide.plan["decoder3"] == 72 and wide.plan["layer3"] == 32


def test_the_last_map_is_enlarged_linearly_and_read_with_the_picture():
    network, maps = small("mobile_unet"), []
    network.detail.register_forward_pre_hook(lambda _, inputs: maps.extend(inputs))
    with torch.no_grad():
        _, stages = network.forward_features(*picture(64, 96))
    last = stages["decoder1"].activation
    between = (3 * last[..., 5, 5] + last[..., 5, 6]) / 4  # a quarter of the way to the next
    between = (3 * between + (3 * last[..., 6, 5] + last[..., 6, 6]) / 4) / 4
    torch.testing.assert_close(maps[0][..., 11, 11], between)
    assert maps[0].shape == (*last.shape[:2], 64, 96) and maps[1].shape[1] == 6


@pytest.mark.parametrize("size", [(64, 96), (129, 70)])
def test_the_last_layers_in_bands_are_those_of_the_whole_picture(monkeypatch, size):
    network = small("mobile_unet", guess=True)
    heights = []
    network.matte_layer.register_forward_hook(lambda _, maps, __: heights.append(maps[0].shape[-2]))
    with torch.no_grad():
        whole = network(*picture(*size))
        monkeypatch.setattr(mobile_unet, "BANDED", 0)
        banded = network(*picture(*size))
    assert max(heights[1:]) <= mobile_unet.BAND + 8
    torch.testing.assert_close(banded, whole, rtol=0, atol=1e-12)


def test_the_guess_of_colours_is_read_at_both_ends():
    with torch.no_grad():
        before = small("mobile_unet", guess=True).compute(*picture(), None)
        for entry in ("layer0.conv.weight", "detail.conv.weight"):
            network = small("mobile_unet", guess=True)
            network.state_dict()[entry][:, -7:] = 0
            assert (network.compute(*picture(), None) - before).abs().max() > 1e-4


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_full_resolution_is_computed_in_the_layout_of_the_weights(layout):
    network = small("mobile_unet", guess=True).float().to(memory_format=layout)
    seen = []
    network.detail.register_forward_pre_hook(lambda _, maps: seen.extend(maps))
    image, trimap = (one.float() for one in picture())
    for form in (torch.channels_last, torch.contiguous_format):
        with torch.no_grad():
            network(image.contiguous(memory_format=form), trimap)
    assert len(seen) == 4 and all(one.is_contiguous(memory_format=layout) for one in seen)


# --- carried colours ------------------------------------------------------------------------------


def painted(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of noise and a trimap with all three kinds, 64 x 96."""
    torch.manual_seed(seed)
    trimap = torch.full((1, 1, 64, 96), 128 / 255)
    trimap[..., :20, :30] = 1
    trimap[..., 40:, 50:] = 0
    return torch.rand(1, 3, 64, 96), trimap


def plain_pull_push(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H,W) of one channel: means of known quarters on the way up, bilinear on the way down."""
    if min(mask.shape) == 2:  # 64 x 96 was halved five times
        mean = (image * mask).sum() / mask.sum()
        return mask * image + (1 - mask) * mean
    height, width = mask.shape[0] // 2, mask.shape[1] // 2
    small, weight = np.zeros((height, width)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            cell = (slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))
            total = mask[cell].sum()
            small[y, x] = (image[cell] * mask[cell]).sum() / max(total, 4e-6)
            weight[y, x] = min(1, total)
    below = plain_pull_push(small, weight)
    filled = np.zeros(mask.shape)
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            v, u = max((y + 0.5) / 2 - 0.5, 0), max((x + 0.5) / 2 - 0.5, 0)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            v, u = v - top, u - left
            upper = (1 - u) * below[top, left] + u * below[top, right]
            lower = (1 - u) * below[bottom, left] + u * below[bottom, right]
            filled[y, x] = (1 - v) * upper + v * lower
    return mask * image + (1 - mask) * filled


def test_colours_are_those_of_plain_pull_push():
    image, trimap = painted()
    guess = ColourGuess()(image, trimap)[0].double().numpy()
    known = (trimap >= 0.75, trimap <= 0.25)
    for place, mask in zip((0, 3), known, strict=True):
        for channel in range(3):
            expected = plain_pull_push(
                image[0, channel].double().numpy(), mask[0, 0].double().numpy()
            )
            np.testing.assert_allclose(guess[place + channel], expected, atol=1e-6)


def test_alpha_is_found_where_the_colours_are_even():
    _, trimap = painted()
    foreground, background = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.8])
    alpha = torch.rand(1, 1, 64, 96)
    alpha[trimap >= 0.75], alpha[trimap <= 0.25] = 1, 0
    image = alpha * foreground.view(1, 3, 1, 1) + (1 - alpha) * background.view(1, 3, 1, 1)
    span = (foreground - background).square().sum()
    known = (trimap >= 0.75) | (trimap <= 0.25)
    expected = torch.where(known, alpha, alpha * span / (span + LIKENESS))
    torch.testing.assert_close(ColourGuess()(image, trimap)[:, 6:], expected, atol=1e-5, rtol=0)


def test_a_kind_without_known_pixels_takes_the_pixels_own_colour():
    image, _ = painted()
    guess = ColourGuess()(image, torch.full((1, 1, 64, 96), 128 / 255))
    torch.testing.assert_close(guess[:, :3], image)
    torch.testing.assert_close(guess[:, 3:6], image)
    assert (guess[:, 6] == 0).all()


def test_each_picture_of_a_batch_has_its_own_colours():
    both = [painted(seed) for seed in (0, 1)]
    together = ColourGuess()(*(torch.cat(parts) for parts in zip(*both, strict=True)))
    for index, inputs in enumerate(both):
        torch.testing.assert_close(together[index : index + 1], ColourGuess()(*inputs))
