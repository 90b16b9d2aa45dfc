"""Pruning: gates and their sparsity, scores, what to keep, and the cut itself."""

from utils.prune.cut import cut
from utils.prune.gates import History, gates, open_gates
from utils.prune.scores import norms, scores
from utils.prune.select import rate_message, reached, select
from utils.prune.sparsity import ContextSparsity, Sparsity, make_sparsity
from utils.prune.widths import Budget

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
    "rate_message",
    "reached",
    "scores",
    "select",
]
