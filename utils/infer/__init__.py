"""Mattes of pictures: `Inference`."""

from importlib import import_module


def __getattr__(name: str) -> object:
    """Import on first use: scripts need `options` without PyTorch."""
    if name != "Inference":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.inference").Inference
