"""Pictures, mattes and trimaps on disk."""

from importlib import import_module

_EXPORTS = {
    **dict.fromkeys(("read_image", "read_alpha", "read_trimap", "read_matte"), "reading"),
    **{"image_size": "decode", "read_labels": "labels", "write_image": "writing"},
}


def __getattr__(name: str) -> object:
    """Import on first use: configs need `trimap_values` alone, without OpenCV."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
