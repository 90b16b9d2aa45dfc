"""Distillation losses, one stage each, and what puts them together."""

from utils.distill.adapters import Adapters
from utils.distill.batch import batch_similarity_loss
from utils.distill.channel import channel_similarity_loss
from utils.distill.distillation import Distillation
from utils.distill.spatial import spatial_similarity_loss

__all__ = [
    "Adapters",
    "Distillation",
    "batch_similarity_loss",
    "channel_similarity_loss",
    "spatial_similarity_loss",
]
