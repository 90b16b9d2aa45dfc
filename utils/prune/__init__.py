"""Pruning: gates and their sparsity, scores, what to keep, and the cut itself."""

from utils.prune.cut import cut, cut_in_steps
from utils.prune.gates import History, gated, gates, open_gates
from utils.prune.scores import CRITERIA, norms, scores
from utils.prune.select import rate_message, reached, select
from utils.prune.sparsity import ContextSparsity, Sparsity, make_sparsity
from utils.prune.widths import Budget, check_keep, per_cost

__all__ = [
    "CRITERIA",
    "Budget",
    "ContextSparsity",
    "History",
    "Sparsity",
    "check_keep",
    "cut",
    "cut_in_steps",
    "gated",
    "gates",
    "make_sparsity",
    "norms",
    "open_gates",
    "per_cost",
    "rate_message",
    "reached",
    "scores",
    "select",
]
