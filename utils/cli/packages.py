"""Which packages every script needs, and how to get those that are missing."""

import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# What is imported of requirements.txt; torchvision is not always needed.
NEEDED = (
    "torch", "numpy", "PIL", "scipy", "cv2", "yaml", "pydantic", "safetensors", "tensorboard",
    "tqdm",
)  # fmt: skip


def lacking() -> str:
    """A line that names the packages this Python lacks and the command to run; empty if none.

    Nothing is imported for it.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if not missing:
        return ""
    activate = f". {REPOSITORY / '.venv/bin/activate'}"
    if (REPOSITORY / ".venv" / ".runs").exists():
        cure = f"they are in .venv: run {activate}"
    else:
        cure = (
            f"run make demo, which installs them into .venv, and then {activate}; "
            "or run python -m pip install -r requirements.txt"
        )
    return f"{sys.executable} has no package {', '.join(missing)}; {cure}"
