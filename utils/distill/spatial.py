"""Spatial similarity: which pixels of a feature map resemble each other (SPKD)."""

from torch import Tensor

from utils.distill.gram import check_maps, unit_gram_loss


def spatial_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the pixel-by-pixel cosine similarities of two feature maps.

        S = Fh' Fh,  Fh = F as (C,HW), each column f / (|f| + 1e-7);   mean of (S_s - S_t)^2

    over the batch and all HW x HW pairs of pixels, without forming an HW x HW matrix unless HW is
    the smaller side. No adapter is needed: S does not know the width.

    Args:
        student: (N,C,H,W), any real values.
        teacher: (N,C',H,W), of any width; it gets no gradient.

    Returns:
        A scalar in [0, 4]; in [0, 1] for maps after a ReLU. Float32 (float64 if an argument is),
        also under autocast.

    Raises:
        ValueError: the shapes differ in more than the width.

    Paper: Yoon, Park, Cho, SPKD, IEEE Signal Processing Letters 2020.
    """
    check_maps(student, teacher, same_width=False)
    return unit_gram_loss(student.flatten(2), teacher.flatten(2))
