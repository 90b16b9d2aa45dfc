"""Channel similarity: which channels of a feature map fire at the same places (SPKD)."""

from torch import Tensor

from utils.distill.gram import check_maps, unit_gram_loss


def channel_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the channel-by-channel cosine similarities of two feature maps.

        S = Fh Fh',  Fh = F as (C,HW), each row f / (|f| + 1e-7);   mean of (S_s - S_t)^2

    over the batch and all C x C pairs of channels.

    Args:
        student: (N,C,H,W), any real values; mapped to the teacher's width by `Adapters`.
        teacher: (N,C,H,W); it gets no gradient.

    Returns:
        A scalar in [0, 4]; in [0, 1] for maps after a ReLU. Float32 (float64 if an argument is),
        also under autocast.

    Raises:
        ValueError: the shapes differ.

    Paper: Yoon, Park, Cho, SPKD, IEEE Signal Processing Letters 2020.
    """
    check_maps(student, teacher, same_width=True)
    return unit_gram_loss(student.flatten(2).mT, teacher.flatten(2).mT)
