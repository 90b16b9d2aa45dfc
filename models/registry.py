"""The networks by name, and `build`, which makes one from plain data."""

import inspect
from collections.abc import Mapping

import torch

from models.dim import Dim
from models.errors import InputError
from models.network import Network

NETWORKS: dict[str, type[Network]] = {"dim": Dim}


def build(name: str, plan: Mapping[str, int] | None = None, **structure) -> Network:
    """A freshly initialised network.

    Args:
        name: one of `NETWORKS`.
        plan: `{group: width}` of the prunable groups; absent groups keep their full width.
        structure: what widths cannot say, such as `convolutions` of `dim`.

    Raises:
        InputError: no such network, group or structure, or an impossible value.
    """
    if name not in NETWORKS:
        raise InputError(f"no network named {name!r}; there are {', '.join(NETWORKS)}")
    allowed = [p for p in inspect.signature(NETWORKS[name]).parameters if p != "plan"]
    for key in structure:
        if key not in allowed:
            raise InputError(f"{name}: no structure named {key!r}; it has {', '.join(allowed)}")
    return NETWORKS[name](plan, **structure)


def scaled_plan(name: str, width: float, **structure) -> dict[str, int]:
    """The full plan of a network with every width times `width`, rounded, at least 1."""
    with torch.device("meta"):  # only the plan is wanted, no weights
        full = build(name, **structure).plan
    return {group: max(1, round(width * channels)) for group, channels in full.items()}
