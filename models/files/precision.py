"""Where half precision would not do."""

import torch
from torch import Tensor


def without_autocast(x: Tensor) -> torch.autocast:
    """A context in which the device of `x` computes in the types that tensors have."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
