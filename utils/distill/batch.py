"""Batch similarity: which pictures of a batch resemble each other."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from utils.distill.gram import check_maps, full_precision, in_full_precision

ROW_EPSILON = 1e-12  # the least length a row is divided by
CHUNK = 2**18  # numbers converted to float64 at once


def batch_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the picture-by-picture similarities of two feature maps.

        G = Q Q',  Q = F as (N,CHW),  each row g / max(|g|, 1e-12);   mean of (G_s - G_t)^2

    over all N x N pairs. A batch of one has G = 1 whatever the map: the loss is then zero.

    Args:
        student: (N,C,H,W), any real values.
        teacher: (N,C',H,W), of any width; it gets no gradient.

    Returns:
        A scalar in [0, 4 / N]. Float32 (float64 if an argument is), also under autocast.

    Raises:
        ValueError: the shapes differ in more than the width.

    Paper: Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019.
    """
    check_maps(student, teacher, same_width=False)
    student, teacher = in_full_precision(student, teacher)
    with full_precision(student.device):
        rows, target_rows = (
            functional.normalize(_Gram.apply(features), dim=1, eps=ROW_EPSILON)
            for features in (student, teacher)
        )
        return functional.mse_loss(rows, target_rows).to(student.dtype)


class _Gram(torch.autograd.Function):
    """(N,C,H,W) -> (N,N), in float64.

    Sums over a million products differ by little between student and teacher, and the rows are
    scaled before they are compared, so the identity of `gram.py` does not apply; but N x N numbers
    are few enough for float64. Chunks keep the maps themselves from being copied to it.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        batch, _, height, width = features.shape
        gram = features.new_zeros((batch, batch), dtype=torch.float64)
        for chunk in features.split(max(1, CHUNK // (batch * height * width)), dim=1):
            pictures = chunk.flatten(1).double()
            gram.addmm_(pictures, pictures.T)
        return gram

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        with full_precision(features.device):
            weight = (upstream + upstream.T).to(features.dtype)
            return (weight @ features.flatten(1)).view(features.shape)
