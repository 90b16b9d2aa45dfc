"""What TensorBoard shows of a training."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from models import Network
from models.errors import InputError
from utils.figures.sheet import sheet
from utils.prune.gates import all_gates, by_part, gates


class Board:
    """Terms, rates, pictures, gate histograms and widths, written under `folder`.

    Args:
        done: the steps before; what was written there of later ones is replaced.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._folder = folder
        with self._one_line_errors():
            self._writer = SummaryWriter(str(folder), purge_step=done + 1)

    def scalars(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        with self._one_line_errors():
            for name, value in values.items():
                self._writer.add_scalar(f"{prefix}/{name}", value, step)

    def pictures(self, columns: Mapping[str, Tensor], step: int) -> None:
        """A sheet, a row a sample, of the task's columns (N,C,H,W) in [0, 1] by their titles."""
        pictures = {title: [_in_8_bits(one) for one in column] for title, column in columns.items()}
        with self._one_line_errors():
            self._writer.add_image("samples", sheet(pictures), step, dataformats="HWC")

    def network(self, network: Network, step: int) -> None:
        """Histograms of the gates, of each layer and each part, and the widths of the plan."""
        for group, members in gates(network).items():
            for index, gate in enumerate(members):
                scale = gate.scale.detach().float().abs().cpu()
                with self._one_line_errors():
                    self._writer.add_histogram(f"gates/{group}/{index}", scale, step)
        for part, scales in by_part([gate for _, gate in all_gates(network)]).items():
            with self._one_line_errors():
                self._writer.add_histogram(f"gates/{part}", scales.float().cpu(), step)
        self.scalars("width", network.plan, step)

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What the training ended with says more than what closing then complains of.
        pending = contextlib.suppress(InputError) if kind else contextlib.nullcontext()
        with pending, self._one_line_errors():
            self._writer.close()

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self._folder}: TensorBoard's log cannot be written ({error.strerror or error}); "
                "free some space, or choose another save_dir"
            ) from error


def _in_8_bits(picture: Tensor) -> np.ndarray:
    """(C,H,W) in [0, 1] as uint8 (H,W,3), or (H,W) of a single channel."""
    values = picture.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return values[..., 0] if values.shape[2] == 1 else np.ascontiguousarray(values)
