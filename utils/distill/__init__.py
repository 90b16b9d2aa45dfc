"""Distillation losses, one stage (FSP: two) each, and what puts them together."""

from utils.distill.adapters import Adapters
from utils.distill.at import attention_transfer_loss
from utils.distill.batch import batch_similarity_loss
from utils.distill.channel import channel_similarity_loss
from utils.distill.cwd import channel_wise_loss
from utils.distill.distillation import Distillation
from utils.distill.fsp import fsp_loss
from utils.distill.nst import nst_loss
from utils.distill.ofd import ofd_loss, ofd_margin
from utils.distill.spatial import spatial_similarity_loss

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
