"""A Slurm of this machine for the tests of this folder, which are skipped where there is none."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
START = Path(__file__).parent / "start.sh"


@pytest.fixture(scope="session")
def cluster():
    """Its folder: two partitions, of which `urgent` takes the place of jobs in `tests`."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here (apt-get install slurm-wlm munge)")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # pytest's is too long for a socket's name
    subprocess.run([START, folder], check=True)
    yield folder
    subprocess.run([START, "--stop", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def slurm(cluster, tmp_path, monkeypatch) -> Path:
    """A working folder where sbatch finds that Slurm."""
    monkeypatch.setenv("SLURM_CONF", str(cluster / "slurm.conf"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
