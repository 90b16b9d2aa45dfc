"""Attention transfer: where a feature map is strong (AT)."""

from torch import Tensor

from utils.distill.maps import check_maps, in_full_precision

EPSILON = 1e-6  # added to the length of an attention map


def attention_transfer_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the attention maps of two feature maps.

        A = sum over the channels of F^2, as (HW,),  Ah = A / (|A| + 1e-6);
        mean over the batch and all pixels of (Ah_s - Ah_t)^2

    In [0, 4 / HW]. The teacher may have any width: A does not know it.

    Paper: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017.
    """
    check_maps(student, teacher, same_width=False)
    ours, theirs = (_attention(x) for x in in_full_precision(student, teacher))
    return (ours - theirs).square().mean()


def _attention(features: Tensor) -> Tensor:
    maps = features.square().sum(1).flatten(1)
    return maps / (maps.norm(dim=1, keepdim=True) + EPSILON)
