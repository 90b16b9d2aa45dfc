"""Attention transfer: where a feature map is strong (AT)."""

from torch import Tensor

from utils.distill.gram import check_maps, in_full_precision

EPSILON = 1e-6  # added to the length of an attention map


def attention_transfer_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the attention maps of two feature maps.

        A = sum over the channels of F^2, as (HW,),  Ah = A / (|A| + 1e-6);
        mean of (Ah_s - Ah_t)^2

    over the batch and all pixels. No adapter is needed: A does not know the width.

    Args:
        student: (N,C,H,W), any real values.
        teacher: (N,C',H,W), of any width; it gets no gradient.

    Returns:
        A scalar in [0, 4 / HW]. Float32 (float64 if an argument is), also under autocast.

    Raises:
        ValueError: the shapes differ in more than the width.

    Paper: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017.
    """
    check_maps(student, teacher, same_width=False)
    ours, theirs = (_attention(x) for x in in_full_precision(student, teacher))
    return (ours - theirs).square().mean()


def _attention(features: Tensor) -> Tensor:
    maps = features.square().sum(1).flatten(1)
    return maps / (maps.norm(dim=1, keepdim=True) + EPSILON)
