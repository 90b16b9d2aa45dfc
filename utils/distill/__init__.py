"""Distillation losses, one stage each, and the adapters that some of them need."""

from utils.distill.adapters import Adapters
from utils.distill.batch import batch_similarity_loss
from utils.distill.channel import channel_similarity_loss
from utils.distill.spatial import spatial_similarity_loss

__all__ = [
    "Adapters",
    "batch_similarity_loss",
    "channel_similarity_loss",
    "spatial_similarity_loss",
]
