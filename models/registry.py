"""The networks by name, and `build`, which makes one from plain data."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    from models.network import Network

# By name, so that the names can be listed without importing PyTorch.
NETWORKS = {
    "dim": "models.dim.Dim",
    "dim_vgg": "models.dim_vgg.DimVgg",
    "gca": "models.gca.Gca",
    "indexnet": "models.indexnet.IndexNet",
    "mobile_unet": "models.mobile_unet.MobileUnet",
    "pspnet": "models.pspnet.PspNet",
}
FORMS = ("gates", "folded")  # of any network, see `Network.on_plan`


def build(name: str, plan: Mapping[str, int] | None = None, **structure) -> Network:
    """A freshly initialised network.

    Args:
        name: one of `NETWORKS`.
        plan: `{group: width}` of the prunable groups; absent groups keep their full width.
        structure: what widths cannot say, such as `convolutions` of `dim`.

    Raises:
        InputError: no such network, group or structure, or an impossible value.
    """
    return checked(name, structure).on_plan(plan, **structure)


def blank(name: str, plan: Mapping[str, int] | None = None, **structure) -> Network:
    """`build` for weights that will be loaded: draws nothing from the global generator."""
    return checked(name, structure).blank(plan, **structure)


def scaled_plan(name: str, width: float, **structure) -> dict[str, int]:
    """The full plan of a network with every width times `width`, rounded, at least 1."""
    import torch

    with torch.device("meta"):  # only the plan is wanted, no weights
        full = blank(name, **structure).plan
    return {group: max(1, round(width * channels)) for group, channels in full.items()}


def checked(name: str, structure: Mapping[str, object]) -> type[Network]:
    """The class of a network that has this structure.

    Raises:
        InputError: no such network, or it has no such structure.
    """
    if name not in NETWORKS:
        raise InputError(f"no network named {name!r}; there are {', '.join(NETWORKS)}")
    module, _, kind = NETWORKS[name].rpartition(".")
    network = getattr(importlib.import_module(module), kind)
    own = [key for key in inspect.signature(network).parameters if key != "channels"]
    for key in structure:
        if key not in own and key not in FORMS:
            known = f"it has {', '.join(own)}" if own else "it has none"
            raise InputError(f"{name}: no structure named {key!r}; {known}")
    for key in FORMS:
        value = structure.get(key, False)
        if not isinstance(value, bool):
            raise InputError(f"{name}: {key} is {value!r}; give true or false")
    return network
