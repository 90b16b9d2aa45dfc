"""What TensorBoard shows of a training."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from models import Network
from models.errors import InputError
from utils.prune.gates import gates

PICTURES = 4


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

    def pictures(self, columns: tuple[Tensor, ...], step: int) -> None:
        """One row a sample, of the task's columns (N,C,H,W) in [0, 1], such as image and truth."""
        rgb = [c[:PICTURES].float().cpu().expand(-1, 3, -1, -1) for c in columns]
        rows = torch.cat(rgb, 3)
        with self._one_line_errors():
            self._writer.add_image("samples", torch.cat(list(rows), 1).clamp(0, 1), step)

    def network(self, network: Network, step: int) -> None:
        """Histograms of the gates, and the widths of the plan."""
        for group, members in gates(network).items():
            for index, gate in enumerate(members):
                scale = gate.scale.detach().float().abs().cpu()
                with self._one_line_errors():
                    self._writer.add_histogram(f"gates/{group}/{index}", scale, step)
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
