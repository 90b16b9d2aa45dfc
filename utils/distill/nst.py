"""Neuron selectivity transfer: how the maps of the channels are distributed (NST)."""

from torch import Tensor

from utils.distill.gram import check_maps, mean_discrepancy


def nst_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared maximum mean discrepancy between the channels of two feature maps.

        mean of k(t, t') + mean of k(s, s') - 2 * mean of k(s, t),   k(x, y) = (xh' yh)^2

    over all pairs of channels, x as (HW,) and xh = x / max(|x|, 1e-12); mean over the batch. With
    that kernel it is |Sh' Sh / C - Th' Th / C'|^2 of two HW x HW matrices, which are formed only
    where HW is the smaller side. No adapter is needed: means do not know the width.

    Args:
        student: (N,C,H,W), any real values.
        teacher: (N,C',H,W), of any width; it gets no gradient.

    Returns:
        A scalar in [0, 2]. Float32 (float64 if an argument is), also under autocast.

    Raises:
        ValueError: the shapes differ in more than the width.

    Paper: Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer",
    2017.
    """
    check_maps(student, teacher, same_width=False)
    return mean_discrepancy(student.flatten(2), teacher.flatten(2))
