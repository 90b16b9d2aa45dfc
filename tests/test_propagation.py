"""Colours carried into the unknown region: pull-push in a plain second form, and what it keeps."""

import numpy as np
import torch

from models.layers.propagation import LIKENESS, ColourGuess


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


def test_known_pixels_keep_their_colours_and_alphas():
    image, trimap = painted()
    guess = ColourGuess()(image, trimap)
    foreground, background = (trimap >= 0.75)[0, 0], (trimap <= 0.25)[0, 0]
    assert torch.equal(guess[0, :3, foreground], image[0, :, foreground])
    assert torch.equal(guess[0, 3:6, background], image[0, :, background])
    assert (guess[0, 6, foreground] == 1).all() and (guess[0, 6, background] == 0).all()


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
