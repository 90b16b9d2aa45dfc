"""The task of matting: 8-bit samples, losses over the unknown pixels, alpha loss and SAD."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models import Network
from models.errors import InputError
from models.network import unknown_region
from utils.config.options import Config
from utils.data.crops.crop_set import Sample, Sources

BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)  # the blur of a Laplacian pyramid (Burt and Adelson, 1983)


class MattingBatch(NamedTuple):
    """Float32 in [0, 1]: image (N,3,H,W), trimap and alpha (N,1,H,W); `unknown` is bool.

    Foreground and background colours (N,3,H,W) where samples carry them, else None.
    """

    image: Tensor
    trimap: Tensor
    alpha: Tensor
    unknown: Tensor
    foreground: Tensor | None
    background: Tensor | None

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        return self.image, self.trimap


class Matting:
    """Trimap-based matting on the samples of a config's data set."""

    metric = "alpha"

    def __init__(self, config: Config) -> None:
        self._config = config

    def sources(self) -> Sources:
        return Sources(self._config)

    def check(self, network: Network, sources: Sources) -> None:
        """Any network mattes any picture."""

    def batch(
        self, sample: Sample, device: torch.device, layout: torch.memory_format
    ) -> MattingBatch:
        def moved(part: Tensor | None) -> Tensor | None:
            if part is None:
                return None
            part = part.to(device, non_blocking=True).float().div_(255)
            return part.contiguous(memory_format=layout)

        image, trimap, alpha, *layers = (moved(part) for part in sample)
        return MattingBatch(image, trimap, alpha, unknown_region(trimap), *layers)

    def count(self, batch: MattingBatch) -> Tensor:
        return batch.unknown.sum()

    def truth_terms(self, output: Tensor, batch: MattingBatch) -> dict[str, Tensor]:
        others = [name for name in LOSSES if name != "alpha" and getattr(self._config.loss, name)]
        return {name: self._term(name, output, batch) for name in ("alpha", *others)}

    def judges_auxiliary(self, network: Network) -> bool:
        weights = self._config.loss
        if not (weights.coarse_alpha or weights.coarse_composition):
            return False
        if not network.structure.get("refine"):
            raise InputError(
                f"loss.coarse_alpha, loss.coarse_composition: {network.name} here refines no "
                "coarse matte; set both to 0, or take dim_vgg with network.structure.refine=true"
            )
        return True

    def auxiliary_terms(self, output: Tensor, batch: MattingBatch) -> dict[str, Tensor]:
        names = [f"coarse_{name}" for name in ("alpha", "composition")]
        weighed = [name for name in names if getattr(self._config.loss, name)]
        return {name: self._term(name, output, batch) for name in weighed}

    def _term(self, name: str, output: Tensor, batch: MattingBatch) -> Tensor:
        loss = LOSSES[name.removeprefix("coarse_")]
        layers = (batch.foreground, batch.background) if loss is composition_loss else ()
        weight = getattr(self._config.loss, name)
        return weight * loss(output, batch.alpha, batch.unknown, *layers)

    @property
    def imitates(self) -> bool:
        return self._config.loss.alpha_teacher > 0

    def teacher_terms(
        self, output: Tensor, target: Tensor, batch: MattingBatch
    ) -> dict[str, Tensor]:
        weight = self._config.loss.alpha_teacher
        return {"alpha_teacher": weight * alpha_loss(output, target, batch.unknown)}

    def scores(self, output: Tensor, batch: MattingBatch) -> dict[str, Tensor]:
        samples = list(zip(output.float(), batch.alpha, batch.unknown, strict=True))
        sums = [((p - a).abs() * u).sum() / 1000 for p, a, u in samples]
        losses = [alpha_loss(p, a, u) for p, a, u in samples]
        return {"alpha": torch.stack(losses), "SAD": torch.stack(sums)}

    def summary(self, means: dict[str, Tensor]) -> dict[str, float]:
        return {name: value.item() for name, value in means.items()}

    def pictures(self, output: Tensor, batch: MattingBatch) -> dict[str, Tensor]:
        matte = torch.where(batch.unknown, output.float().clamp(0, 1), batch.trimap.round())
        columns = {"image": batch.image, "trimap": batch.trimap, "truth": batch.alpha}
        return {**columns, "matte": matte}  # as a user gets it: known pixels are exact

    def shown(self, sample: Sample) -> dict[str, np.ndarray]:
        image, trimap, alpha = (part.numpy() for part in sample[:3])
        return {"image": image.transpose(1, 2, 0), "trimap": trimap[0], "matte": alpha[0]}


def alpha_loss(pred: Tensor, target: Tensor, unknown: Tensor) -> Tensor:
    """Sum over unknown pixels U of sqrt((pred - target)^2 + 1e-12), divided by |U| + 1e-6.

    A mean absolute error that is smooth at zero. The release sums over all pixels, so that each
    known one adds 1e-6; here known pixels add nothing.

    Args:
        pred: (N,1,H,W), the unclamped alpha.
        target: (N,1,H,W), the true alpha or the teacher's, in [0, 1].
        unknown: (N,1,H,W), True or 1 where the trimap is unknown.

    Returns:
        A scalar, zero if no pixel is unknown; float32 (float64 if an argument is).

    Raises:
        ValueError: the shapes differ.

    Paper: Xu et al., "Deep Image Matting", CVPR 2017.
    """
    difference, weight = _difference(pred, target, unknown)
    # 1e-12 is nothing in half precision, so the square must not be taken there.
    distance = (difference.square() + 1e-12).sqrt()
    return (distance * weight).sum() / (weight.sum() + 1e-6)


def l1_loss(pred: Tensor, target: Tensor, unknown: Tensor) -> Tensor:
    """Mean over unknown pixels of |pred - target|; zero if no pixel is unknown.

    Arguments, type and errors as `alpha_loss`.

    Paper: Li and Lu, "Natural Image Matting via Guided Contextual Attention", AAAI 2020.
    """
    difference, weight = _difference(pred, target, unknown)
    return (difference.abs() * weight).sum() / (weight.sum() + 1e-6)


def laplacian_loss(pred: Tensor, target: Tensor, unknown: Tensor, levels: int = 4) -> Tensor:
    """The L1 norm of the difference's Laplacian pyramid, level i weighing 2^i.

        sum over i of 2^i * 4^i * sum |L_i| / |U|,   L = pyramid of (pred - target) on U

    so that level i counts by its mean over the unknown region; the last level is what is left. The
    difference is zero at known pixels, whose alpha the trimap gives. Levels shrink by a 5x5
    binomial blur and grow by linear interpolation; they end early where a side would be under 2.

    Arguments, type and errors as `alpha_loss`.

    Paper: Hou and Liu, "Context-Aware Image Matting for Simultaneous Foreground and Alpha
    Estimation", ICCV 2019.
    """
    difference, weight = _difference(pred, target, unknown)
    current = difference * weight
    kernel = torch.tensor(BINOMIAL, dtype=current.dtype).to(current.device, non_blocking=True)
    kernel = (kernel / kernel.sum()).outer(kernel / kernel.sum())[None, None]
    total = current.new_zeros(())
    for level in range(levels):
        height, width = current.shape[-2:]
        if level == levels - 1 or min(height, width) < 4:
            band, smaller = current, None
        else:
            padded = F.pad(current, (2, 2, 2, 2), "reflect")
            smaller = F.conv2d(padded, kernel, stride=2)
            grown = F.interpolate(smaller, (height, width), mode="bilinear", align_corners=False)
            band = current - grown
        total = total + 8**level * band.abs().sum()
        if smaller is None:
            break
        current = smaller
    return total / (weight.sum() + 1e-6)


def composition_loss(
    pred: Tensor, target: Tensor, unknown: Tensor, foreground: Tensor, background: Tensor
) -> Tensor:
    """Mean over unknown pixels and channels of the distance of two composites.

        sqrt(((pred - target) (F - B))^2 + 1e-12)

    which is the distance of the composites of `pred` and of the true matte over the same colours.

    Args:
        foreground, background: (N,3,H,W) in [0, 1]; the others, type and errors as `alpha_loss`.

    Paper: Xu et al., "Deep Image Matting", CVPR 2017.
    """
    difference, weight = _difference(pred, target, unknown)
    distance = ((difference * (foreground - background)).square() + 1e-12).sqrt()
    return (distance * weight).sum() / (distance.shape[1] * weight.sum() + 1e-6)


def _difference(pred: Tensor, target: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor]:
    """pred - target and the weight of each pixel, in float32 or, if an argument is, float64."""
    if not pred.shape == target.shape == unknown.shape:
        raise ValueError(
            f"pred {tuple(pred.shape)}, target {tuple(target.shape)} and unknown "
            f"{tuple(unknown.shape)} must have the same shape"
        )
    dtype = torch.promote_types(torch.promote_types(pred.dtype, target.dtype), torch.float32)
    return pred.to(dtype) - target.to(dtype), unknown.to(dtype)


LOSSES = {
    "alpha": alpha_loss,
    "l1": l1_loss,
    "laplacian": laplacian_loss,
    "composition": composition_loss,
}
