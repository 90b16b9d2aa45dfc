"""The loader of released matting code, to compare ours with."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import ColorJitter

from utils.data.folders import Foreground


class Plain:
    """Crops as released matting code makes them: everything is done to the whole picture.

    Args:
        crop: side of a sample; it is cut once, one and a half or two times as large.
    """

    def __init__(self, sources: Sequence[Foreground], scenes: Sequence[Path], crop: int) -> None:
        self._sources, self._scenes, self._crop = sources, scenes, crop
        self._rng = np.random.default_rng(0)
        self._jitter = ColorJitter(0.125, 0.125, 0.125, 0.125)

    def sample(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(image (3,crop,crop), trimap (1,crop,crop), alpha (1,crop,crop)), float32 in [0, 1]."""
        rng = self._rng
        source = self._sources[rng.integers(len(self._sources))]
        colour = cv2.imread(str(source.fg))
        alpha = cv2.imread(str(source.alpha), cv2.IMREAD_GRAYSCALE)
        scene = cv2.imread(str(self._scenes[rng.integers(len(self._scenes))]))
        height, width = alpha.shape
        ratio = max(width / scene.shape[1], height / scene.shape[0])
        if ratio > 1:
            size = (int(np.ceil(scene.shape[1] * ratio)), int(np.ceil(scene.shape[0] * ratio)))
            scene = cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC)
        share = alpha[..., None].astype(np.float32) / 255
        image = (share * colour + (1 - share) * scene[:height, :width]).astype(np.uint8)

        trimap = dilated_trimap(alpha, rng)
        rows, columns = np.where(trimap == 128)
        at = rng.integers(len(rows))
        side = int(self._crop * (1, 1.5, 2)[rng.integers(3)])
        top = int(np.clip(rows[at] - side // 2, 0, height - side))
        left = int(np.clip(columns[at] - side // 2, 0, width - side))
        window = slice(top, top + side), slice(left, left + side)
        image, alpha, trimap = image[window], alpha[window], trimap[window]
        if side != self._crop:
            size = self._crop, self._crop
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
            alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
            trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
        if rng.random() < 0.5:
            image, alpha, trimap = image[:, ::-1], alpha[:, ::-1], trimap[:, ::-1]
        image = np.asarray(self._jitter(Image.fromarray(np.ascontiguousarray(image[..., ::-1]))))
        planes = (image.transpose(2, 0, 1), trimap[None], alpha[None])
        return tuple(torch.from_numpy(plane / np.float32(255)) for plane in planes)


def dilated_trimap(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 to 19 steps of dilation and erosion by an ellipse of 2 to 5 pixels."""
    side = int(rng.integers(2, 6))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    steps = int(rng.integers(1, 20))
    trimap = np.full_like(alpha, 128)
    trimap[cv2.dilate(alpha, kernel, iterations=steps) == 0] = 0
    trimap[cv2.erode(alpha, kernel, iterations=steps) == 255] = 255
    return trimap
