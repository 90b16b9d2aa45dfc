"""The task of matting: 8-bit samples, losses over the unknown pixels, alpha loss and SAD."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from models.network import unknown_region
from utils.config.options import Config
from utils.data.crops.crop_set import Sample
from utils.data.sources import Sources
from utils.tasks.matting_losses import alpha_loss, composition_loss, l1_loss, laplacian_loss

LOSSES = {
    "alpha": alpha_loss,
    "l1": l1_loss,
    "laplacian": laplacian_loss,
    "composition": composition_loss,
}


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
