"""The modes of `Inference`, and which options go with them; no package is imported for it."""

from collections.abc import Iterable, Mapping

from models.errors import InputError

MODES = ("whole", "auto", "tile", "resize", "crop", "half")
PRECISIONS = ("float32", "bfloat16", "float16")
MAX_SIZE = {"resize": 1600, "crop": 320}  # as published
MODES_OF = {
    "max_size": tuple(MAX_SIZE),
    **dict.fromkeys(("halo", "tile", "batch"), ("tile", "auto")),
    "memory_mb": ("auto",),
}


def require_fit(mode: str, options: Iterable[str]) -> None:
    """Raise an `InputError` where one of `options`, which are given, does nothing in a mode."""
    for name in options:
        modes = MODES_OF.get(name, MODES)
        if mode not in modes:
            raise InputError(f"{name} goes with {' and '.join(modes)}, not with {mode}")


def require_values(options: Mapping[str, object]) -> None:
    """Raise an `InputError` where an option of `Inference` has a value that cannot be."""
    for name, known in (("mode", MODES), ("precision", PRECISIONS)):
        if name in options and options[name] not in known:
            raise InputError(f"{name}: {options[name]!r} is none; use {', '.join(known)}")
    halo = options.get("halo")
    if isinstance(halo, str) and halo != "full":
        raise InputError(f"halo: {halo!r} is none; give pixels, or full")
    for name in ("max_size", "halo", "tile", "batch", "memory_mb"):
        value = options.get(name)
        if isinstance(value, int) and value < 1:
            raise InputError(f"{name}: {value} is too small; give at least 1")
