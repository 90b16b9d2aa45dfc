"""docs/train.sbatch under a real Slurm: two processes, requeued while they train."""

import subprocess
import sys
import time
from pathlib import Path

import torch

from tests.scripts import REPOSITORY


def test_a_requeued_training_goes_on(data, slurm):
    for name in ("train.py", "models", "utils", "configs", "pretrained"):
        Path(name).symlink_to(REPOSITORY / name)
    Path(".venv/bin").mkdir(parents=True)
    folder = Path(sys.executable).parent
    Path(".venv/bin/activate").write_text(f"PATH={folder}:$PATH\nexport OMP_NUM_THREADS=1\n")
    text = (REPOSITORY / "docs" / "train.sbatch").read_text()
    for ours, here in (
        ("--nodes=2", "--nodes=1"),
        ("#SBATCH --gpus-per-node=4\n", ""),
        ("--cpus-per-task=32", "--cpus-per-task=2"),
        ("--nproc-per-node=4", "--nproc-per-node=2"),
    ):
        assert text.count(ours) == 1, ours
        text = text.replace(ours, here)
    Path("train.sbatch").write_text(text)
    options = (
        *(f"data.root={data.parent}", f"data.dataset={data.name}", "data.crop=32", "device=cpu"),
        *("data.backgrounds_per_foreground=4", "data.valid_backgrounds=1", "network.width=0.03125"),
        *("network.pretrained=null", "train.batch_size=6", "train.epochs=20", "data.workers=0"),
    )
    submit = ["sbatch", "--parsable", "--output=out.txt", "train.sbatch", *options]
    job = subprocess.run(submit, check=True, capture_output=True, text=True).stdout.strip()
    last = Path("result/SPKD/checkpoint.tar")
    wait_for(last.exists)
    subprocess.run(["scontrol", "requeue", job], check=True)
    wait_for(lambda: not subprocess.check_output(["squeue", "--noheader"]))
    said = Path("out.txt").read_text()
    assert "from which --resume continues" in said and "\nerror: " not in said, said
    assert torch.load(last, weights_only=True)["training"]["step"] == 40, said


def wait_for(condition, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, Path("out.txt").read_text()
        time.sleep(0.3)
