"""Statistics of BatchNorms on the data of a training, for norms that will keep them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from models import Network
from models.channels import Norm
from models.errors import InputError


@torch.no_grad()
def estimate(network: Network, norms: Sequence[Norm], batches: Iterable[Sequence[Tensor]]) -> None:
    """Give `norms` the mean of what each batch has as its mean and variance; they end as they were.

    Those of ImageNet's pictures do not fit another stride or pooling than that of the classifier:
    IndexNet's pooling is nearly an average, so that its maps vary less than half as much.

    Args:
        network: in training mode; its other norms go on with their own statistics.
        norms: some of the network's, in evaluation mode.
        batches: its inputs.

    Raises:
        InputError: the statistics are no finite numbers.
    """
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True  # the plain mean over all batches
    try:
        for inputs in batches:
            network.compute(*inputs, None)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum, norm.training = momentum, False
    if not all(norm.running_var.isfinite().all() for norm in norms):
        raise InputError(
            "train.estimate_norms: the statistics are not finite; set train.precision=float32, or "
            "check the weights of network.pretrained"
        )
