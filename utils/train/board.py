"""What TensorBoard shows of a training."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from models import Network
from utils.figures.sheet import sheet
from utils.prune.gates import all_gates, by_part, gates


class Board(SummaryWriter):
    """Terms, rates, pictures, gate histograms and widths."""

    def add_values(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.add_scalar(f"{prefix}/{name}", value, step)

    def add_pictures(self, columns: Mapping[str, Tensor], step: int) -> None:
        """A sheet, a row a sample, of the task's columns (N,C,H,W) in [0, 1] by their titles."""
        pictures = {title: [_in_8_bits(one) for one in column] for title, column in columns.items()}
        self.add_image("samples", sheet(pictures), step, dataformats="HWC")

    def add_network(self, network: Network, step: int) -> None:
        """Histograms of the gates, of each layer and each part, and the widths of the plan."""
        for group, members in gates(network).items():
            for index, gate in enumerate(members):
                scale = gate.scale.detach().float().abs().cpu()
                self.add_histogram(f"gates/{group}/{index}", scale, step)
        for part, scales in by_part([gate for _, gate in all_gates(network)]).items():
            self.add_histogram(f"gates/{part}", scales.float().cpu(), step)
        self.add_values("width", network.plan, step)


def _in_8_bits(picture: Tensor) -> np.ndarray:
    """(C,H,W) in [0, 1] as uint8 (H,W,3), or (H,W) of a single channel."""
    values = picture.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return values[..., 0] if values.shape[2] == 1 else np.ascontiguousarray(values)
