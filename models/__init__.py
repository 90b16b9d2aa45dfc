"""Matting networks on channel plans: build one by name, load one from a file."""

from models import published
from models.files import load
from models.network import Network, Stage
from models.registry import NETWORKS, build, scaled_plan

__all__ = ["NETWORKS", "Network", "Stage", "build", "load", "published", "scaled_plan"]
