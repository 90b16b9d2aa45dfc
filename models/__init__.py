"""Matting networks on channel plans: build one by name, load one from a file."""

import importlib

PLACES = {
    "NETWORKS": "models.registry",
    "Network": "models.network",
    "Stage": "models.network",
    "blank": "models.registry",
    "build": "models.registry",
    "load": "models.files.saving",
    "scaled_plan": "models.registry",
}
__all__ = [*PLACES, "published"]


def __getattr__(name: str) -> object:
    # On demand: preparing data needs `models.errors` alone, in many processes, and importing
    # PyTorch takes each of them 2 s and 600 MB.
    if name == "published":
        return importlib.import_module("models.published")
    if name in PLACES:
        return getattr(importlib.import_module(PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
