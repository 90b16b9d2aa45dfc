"""Where the reference values of the original implementations lie, for the tests that need them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(
    not (SHARED / "oracles").is_dir(), reason=f"no reference values at {SHARED}"
)


def _lazily(path: Path) -> ModuleType:
    """The module in a file that is read at the first use: importing this one needs no `shared`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = _lazily(SHARED / "oracles" / "fill.py")  # tensors determined by their names
