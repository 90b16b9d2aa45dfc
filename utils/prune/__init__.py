"""Pruning: gates and their sparsity, scores, what to keep, and the cut itself."""

from utils.prune.budget import Budget
from utils.prune.cut import cut
from utils.prune.gates import gates, open_gates
from utils.prune.scores import scores
from utils.prune.select import reached, select, tell_rate
from utils.prune.sparsity import Sparsity

__all__ = [
    "Budget",
    "Sparsity",
    "cut",
    "gates",
    "open_gates",
    "reached",
    "scores",
    "select",
    "tell_rate",
]
