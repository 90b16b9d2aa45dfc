"""Where the rows of a table run: processes of this machine, or jobs of Slurm, by submitit."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from models.errors import InputError
from utils import config as configs
from utils.cli.command import REPOSITORY
from utils.tables.options import SlurmOptions

STOPPED = 128 + signal.SIGTERM
UNLIMITED = 10 * 365 * 24 * 60  # minutes; left out, submitit ends a process after a few
TURNS = 1000  # in so many time limits of Slurm must a job be done
SUBMITIT = {"gpus": "gpus_per_node", "cpus": "cpus_per_task", "memory": "mem_gb"}
Work = Callable[[], None]


class Local:
    """Runs work in processes of this machine.

    Args:
        folder: for what submitit writes.
    """

    name = "local"
    queues = False  # whether work may be submitted before what it comes after is done
    poll = 0.5  # seconds between two looks at the jobs
    settle = 0.0  # seconds after which the files of a job are surely seen here
    threads: int | None = None  # of PyTorch in a job; None leaves it to that

    def __init__(self, folder: Path, **parameters: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=folder))  # ids of two machines may be the same
        path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
        options = {"slurm_max_num_timeout": TURNS}
        for name in ("local", "slurm"):
            options[f"{name}_python"] = shlex.join(["env", f"PYTHONPATH={path}", sys.executable])
        self._executor = submitit.AutoExecutor(self.folder, cluster=self.name, **options)
        self._executor.update_parameters(**{"timeout_min": UNLIMITED, **parameters})

    def submit(self, work: Work, name: str, after: Sequence[submitit.Job]) -> submitit.Job:
        """Do `work` in a job once those in `after` have ended well.

        It is pickled. A signal that asks the job to end raises SystemExit in it; where Slurm only
        wants its place, the job comes back later and begins anew.

        Raises:
            InputError: Slurm refuses it.
        """
        # Ctrl-C in a terminal reaches all its processes, and submitit's would kill what they wait
        # for. Those that are started here ignore it.
        codes = (signal.SIGINT, signal.SIGHUP)
        before = [signal.signal(code, signal.SIG_IGN) for code in codes]
        try:
            return self._executor.submit(_Task(work, os.environ.get("CUDA_VISIBLE_DEVICES")))
        finally:
            for code, handler in zip(codes, before, strict=True):
                signal.signal(code, handler)

    def ended(self, jobs: Mapping[Path, submitit.Job]) -> list[Path]:
        """The keys of the jobs that have ended, well or not."""
        return [key for key, job in jobs.items() if job.done()]

    def stop(self, jobs: Collection[submitit.Job]) -> None:
        """Have the jobs save and end, and wait for that; asked once more, they end at once."""
        while left := [job for job in jobs if not job.done()]:
            for job in left:  # its own `cancel` kills after a second
                os.kill(int(job.job_id), signal.SIGTERM)
            with suppress(KeyboardInterrupt, SystemExit):
                while not all(job.done() for job in left):
                    time.sleep(0.1)
        self.close()

    def reason(self, job: submitit.Job) -> str:
        """Why a job has ended that could not say why itself."""
        said = [line for line in (job.stderr() or "").splitlines() if line.strip()]
        errors = [line for line in said if "error" in line.lower()]
        last = [*said[-1:], *errors[-1:]] or ["killed, perhaps for want of memory"]
        return f"its job ended early: {last[-1]}"

    def close(self) -> None:
        """Remove what submitit has written; all jobs have ended."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another process has its own there
            self.folder.parent.rmdir()


class Slurm(Local):
    """Runs work in jobs of Slurm; those of one name never at once, whoever submits them."""

    name = "slurm"
    queues = True
    poll = 10.0
    settle = 30.0

    def __init__(self, folder: Path, options: SlurmOptions) -> None:
        if not shutil.which("sbatch"):
            raise InputError("--slurm: no sbatch here; run this where Slurm is, or leave it out")
        given = options.model_dump(exclude_none=True, exclude={"hours"})
        parameters = {SUBMITIT.get(key, f"slurm_{key}"): value for key, value in given.items()}
        if options.cpus:  # which srun does not take over from sbatch
            parameters["slurm_srun_args"] = [f"--cpus-per-task={options.cpus}"]
        if "OMP_NUM_THREADS" not in os.environ:  # or all of the machine's, where no cgroup binds it
            self.threads = options.cpus
        super().__init__(folder, timeout_min=max(1, round(60 * options.hours)), **parameters)

    def submit(self, work: Work, name: str, after: Sequence[submitit.Job]) -> submitit.Job:
        conditions = ["singleton", *(f"afterok:{job.job_id}" for job in after)]
        more = {"dependency": ",".join(conditions), "kill-on-invalid-dep": "yes", "requeue": True}
        name = f"{name} ({zlib.crc32(os.fsencode(self.folder.parent.resolve())):08x})"
        self._executor.update_parameters(name=name, slurm_additional_parameters=more)
        try:
            return self._executor.submit(_Task(work))
        except FailedJobError as error:
            last = str(error).strip().splitlines()[-1].removeprefix("sbatch: error: ")
            raise InputError(f"--slurm: {last}") from None

    def ended(self, jobs: Mapping[Path, submitit.Job]) -> list[Path]:
        listed = _squeue("--me", "--format=%A")  # submitit asks sacct, which not every cluster has
        return [] if listed is None else [k for k, job in jobs.items() if job.job_id not in listed]

    def stop(self, jobs: Collection[submitit.Job]) -> None:
        for job in reversed(list(jobs)):
            job.cancel(check=False)
        if not jobs:  # those that end still write
            self.close()


@dataclass(frozen=True)
class _Task:
    """What a job does; `devices` is CUDA_VISIBLE_DEVICES, which submitit empties for local ones."""

    work: Work
    devices: str | None = None

    def __call__(self) -> None:
        is_local = submitit.JobEnvironment().cluster == Local.name
        if is_local:
            os.setsid()  # Ctrl-C is for the process that waits for this one
            os.environ.pop("CUDA_VISIBLE_DEVICES")
            os.environ |= {} if self.devices is None else {"CUDA_VISIBLE_DEVICES": self.devices}
        # In place of submitit's. The first comes before a time limit, and a training saves at the
        # second.
        requeue = signal.signal(signal.SIGUSR2, lambda *_: signal.raise_signal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
        try:
            self.work()
        except SystemExit:
            # COMPLETING would be one that is cancelled, or requeued without its help.
            if not is_local:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which Slurm sends to these, too
                job = ("--job", os.environ["SLURM_JOB_ID"], "--format=%T")
                while (state := _squeue(*job)) in (None, set(), {"SIGNALING"}):
                    time.sleep(1)  # one that stays until its end is requeued
                if state == {"RUNNING"}:
                    requeue(signal.SIGUSR2, None)
            raise

    def checkpoint(self) -> DelayedSubmission:
        """For submitit: what a job that comes back does."""
        return DelayedSubmission(self)


def slurm_options(text: str) -> SlurmOptions:
    """The options in `key=value,key=value`; raises an `InputError` where one cannot be."""
    content: dict[str, Any] = {}
    configs.override(SlurmOptions, content, [part.strip() for part in text.split(",")])
    return configs.validated(SlurmOptions, content, "--slurm")


def _squeue(*words: str) -> set[str] | None:
    """The words that `squeue` says; None where it cannot ask."""
    command = ["squeue", "--noheader", *words]
    answer = subprocess.run(command, capture_output=True, text=True)
    return None if answer.returncode else set(answer.stdout.split())
