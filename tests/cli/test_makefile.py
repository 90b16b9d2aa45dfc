"""What make does about the environment it needs."""

import os
import subprocess
from pathlib import Path

from tests.scripts import REPOSITORY


def planned(folder: Path) -> str:
    command = ["make", "-n", "-f", str(REPOSITORY / "Makefile"), "lint"]
    # Without what `make test VENV=...`, of which this may be a part, tells its own makes.
    own = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "VENV")}
    ended = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=60)
    return ended.stdout


def test_an_environment_without_pip_is_made_again(tmp_path):
    """As Debian's python3 without python3-venv leaves it."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    assert "python3 -m venv .venv" in planned(tmp_path)
    (tmp_path / ".venv" / "bin" / "pip").touch()
    assert "-m venv" not in planned(tmp_path)
