"""Spectral norm: a weight divided by its largest singular value (Miyato et al., ICLR 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from models.files.precision import without_autocast

FIRST = 15  # iterations on a new weight


class SpectralNorm(nn.Module):
    """W / (u . W v), where u and v follow W by one power iteration at each step of training.

    In evaluation mode the stored u and v serve unchanged. The first axis of W is the matrix's rows,
    for transposed convolutions, too, as GCA has it. Autocast is kept out: on CUDA it would multiply
    matrix and vector in half precision.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", matrix.new_empty(matrix.shape[0]))
        self.register_buffer("v", matrix.new_empty(matrix.shape[1]))
        if not matrix.is_meta:  # which holds no numbers, and is slow at making none
            self.u.normal_()
            for _ in range(FIRST):
                self._iterate(matrix)

    def forward(self, weight: Tensor) -> Tensor:
        with without_autocast(weight):
            matrix = weight.flatten(1)
            if self.training:
                self._iterate(matrix.detach())
            # At unit length, which the mean of several steps and half precision do not keep.
            u, v = F.normalize(self.u, dim=0), F.normalize(self.v, dim=0)
            return weight / torch.dot(u, torch.mv(matrix, v))

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        self.v.copy_(F.normalize(torch.mv(matrix.t(), self.u), dim=0))
        self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))


def spectral_norm(layer: nn.Module) -> nn.Module:
    """The layer with its weight divided by its spectral norm; `folding` makes it plain."""
    norm = SpectralNorm(layer.weight)
    # It keeps shape and type; "unsafe" only leaves out a call that would test that.
    return parametrize.register_parametrization(layer, "weight", norm, unsafe=True)
