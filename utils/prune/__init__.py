"""Pruning: gates and their sparsity, scores, what to keep, and the cut itself."""

from utils.prune.budget import Budget
from utils.prune.cut import cut
from utils.prune.gates import gates, open_gates
from utils.prune.history import History
from utils.prune.scores import norms, scores
from utils.prune.select import reached, select, tell_rate
from utils.prune.sparsity import ContextSparsity, Sparsity, make_sparsity

__all__ = [
    "Budget",
    "ContextSparsity",
    "History",
    "Sparsity",
    "cut",
    "gates",
    "make_sparsity",
    "norms",
    "open_gates",
    "reached",
    "scores",
    "select",
    "tell_rate",
]
