"""Channel-wise distillation: where each channel of a feature map is strong (CWD)."""

import torch
from torch import Tensor
from torch.nn import functional

from utils.distill.maps import attach, check_maps, in_full_precision, wants_gradient


def channel_wise_loss(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Divergence of each channel's distribution over the pixels from the teacher's, from 0.

        P = softmax over the pixels of F / T;   T^2 * mean over batch and channels of KL(P_t, P_s)

    Args:
        student: (N,C,H,W), mapped to the teacher's width by `Adapters`.
        temperature: T; the higher, the more the weak pixels count.

    Paper: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021.
    """
    check_maps(student, teacher, same_width=True)
    student, teacher = in_full_precision(student, teacher)
    with torch.no_grad():
        divergence, gradient = 0, torch.empty_like(student)
        for ours, theirs, slopes in zip(student, teacher, gradient, strict=True):
            # In float64: where a student imitates well, the terms are small and cancel.
            ours, theirs = (
                functional.log_softmax(x.flatten(1).double() / temperature, dim=1)
                for x in (ours, theirs)
            )
            divergence += functional.kl_div(ours, theirs, reduction="sum", log_target=True)
            slopes.copy_((ours.exp() - theirs.exp()).view(slopes.shape))
        factor = temperature / (student.shape[0] * student.shape[1])
        # A divergence is not negative, but rounding may make it so.
        loss = (divergence.clamp(min=0) * temperature * factor).to(student.dtype)
    return attach(loss, (student, gradient.mul_(factor))) if wants_gradient(student) else loss
