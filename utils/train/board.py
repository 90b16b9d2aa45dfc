"""What TensorBoard shows of a training."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from models import Network
from utils.prune.gates import gates

PICTURES = 4


class Board:
    """Terms, rates, pictures, gate histograms and widths, written under `folder`."""

    def __init__(self, folder: Path, start: int) -> None:
        # A resumed run replaces what was written after the checkpoint it resumes from.
        self._writer = SummaryWriter(str(folder), purge_step=start)

    def scalars(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{prefix}/{name}", value, step)

    def pictures(self, columns: tuple[Tensor, ...], step: int) -> None:
        """One row a sample: image, trimap, truth, prediction, each (N,C,H,W) in [0, 1]."""
        rgb = [c[:PICTURES].float().cpu().expand(-1, 3, -1, -1) for c in columns]
        rows = torch.cat(rgb, 3)
        self._writer.add_image("matte", torch.cat(list(rows), 1).clamp(0, 1), step)

    def network(self, network: Network, step: int) -> None:
        """Histograms of the gates, and the widths of the plan."""
        for group, members in gates(network).items():
            for index, gate in enumerate(members):
                scale = gate.scale.detach().float().abs().cpu()
                self._writer.add_histogram(f"gates/{group}/{index}", scale, step)
        self.scalars("width", network.plan, step)

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
