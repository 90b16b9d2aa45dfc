"""Distillation: losses of one stage (FSP: two), and what puts them together.

All losses take feature maps (N,C,H,W) of student and teacher, any real values, and return a scalar
in float32 (float64 if an argument is), also under autocast. The teacher gets no gradient. Shapes
that cannot be compared are a ValueError.
"""

from utils.distill.at import attention_transfer_loss
from utils.distill.cwd import channel_wise_loss
from utils.distill.distillation import Adapters, Distillation
from utils.distill.fsp import fsp_loss
from utils.distill.ofd import ofd_loss, ofd_margin
from utils.distill.similarity import (
    batch_similarity_loss,
    channel_similarity_loss,
    nst_loss,
    spatial_similarity_loss,
)

__all__ = [
    "Adapters",
    "Distillation",
    "attention_transfer_loss",
    "batch_similarity_loss",
    "channel_similarity_loss",
    "channel_wise_loss",
    "fsp_loss",
    "nst_loss",
    "ofd_loss",
    "ofd_margin",
    "spatial_similarity_loss",
]
