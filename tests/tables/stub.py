"""A small table, and stand-ins for the scripts that would fill it and for the engine."""

import json
from pathlib import Path

import yaml

from models.errors import InputError
from utils.score.scores import METRICS
from utils.tables import rows
from utils.tables.report import write
from utils.tables.running import fill
from utils.tables.steps import LATENCY, read_json

CONFIG = {"device": "cpu", "data": {"dataset": "tiny"}, "train": {"epochs": 1}}
TABLE = {
    "config": "config.yaml",
    "seeds": [0, 1],
    "pruning": {"criterion": {"UNI": {"prune": {"criterion": "uni"}}, "NS": None}},
    "training": {"kind": {"none": {"loss": {"kd": 0.0}}, "AT": {"distill": {"types": ["at"]}}}},
    "rows": [{"criterion": ["UNI"], "kind": ["none"]}, {"criterion": ["NS"]}],
    "published": {"of": "tiny", "rows": {"NS / AT": {"SAD": 9.5, "MACs": 3e9}, "teacher": {}}},
}
OUTCOMES = {
    "train.py": ("checkpoint.tar", "BEST_checkpoint.tar"),
    "train_prune.py": ("checkpoint_prune.tar", "pruned.tar"),
    "train_pruned.py": ("checkpoint_pruned.tar", "BEST_pruned.tar"),
}


class Scripts:
    """Stands for the scripts: writes what they would, and notes what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.words: list[list[str]] = []
        self.fails: dict[str, str | BaseException] = {}

    def __call__(self, script: str, words: list[str], log: Path) -> int:
        config = yaml.safe_load(Path(words[1]).read_text())
        folder = Path("result") / config["save_dir"]
        called = f"{script} {folder.relative_to('result/tables/table')}"
        self.calls.append(called)
        self.words.append(words)
        wrong = self.fails.get(called)
        if script in OUTCOMES:
            for name in OUTCOMES[script][: 1 if wrong else 2]:
                (folder / name).write_text(called)
        if isinstance(wrong, BaseException):
            raise wrong
        if wrong:
            with log.open("a") as said:
                said.write(f"Traceback\n{wrong}\n")
            return 2
        if script == "test.py":
            out = Path(words[words.index("--json") + 1])
            if out.exists() and METRICS[0] not in read_json(out):  # as test.py does
                return 2
            (out.with_suffix("") / "mattes").mkdir(parents=True)
            scores = dict.fromkeys(METRICS, 8.0 + 2 * config.get("seed", 0))
            costs = {"parameters": 1000, "MACs_224": 2e9, "floor": dict.fromkeys(METRICS, 50.0)}
            out.write_text(json.dumps(scores | costs))
        return 0


class Engine:
    """Stands for submitit: does one job whenever it is asked which have ended.

    Args:
        queues: as Slurm's.
    """

    poll = settle = 0.0
    threads = None

    def __init__(self, queues: bool = False) -> None:
        self.queues, self.most, self.stopped = queues, 0, []
        self._work, self._failed = {}, set()

    def submit(self, work, name: str, after: list[str]) -> str:
        self._work[name] = work, set(after)
        self.most = max(self.most, len(self._work))
        return name

    def ended(self, jobs: dict) -> list:
        first = next(iter(self._work))
        work, after = self._work.pop(first)
        try:
            if after & self._failed:
                raise InputError("cancelled")
            work()
        except InputError:
            self._failed.add(first)
        return [key for key, name in jobs.items() if name == first]

    def stop(self, jobs) -> None:
        self.stopped = list(jobs)

    def reason(self, job: str) -> str:
        return "its process was killed"


def timed(run) -> None:
    if run.network != run.teacher and run.steps[-1].test:
        (run.folder / LATENCY).write_text('{"teacher": 40.0, "network": 10.0}')


def put_real(data: Path, table: dict[str, object]) -> None:
    """A config that the scripts themselves can train with, on a tiny data set, and a table."""
    crops = {"crop": 32, "workers": 0, "backgrounds_per_foreground": 2, "valid_backgrounds": 1}
    config = {
        "device": "cpu",
        "network": {"name": "dim", "width": 1 / 32},
        "data": {"root": str(data.parent), "dataset": data.name, **crops},
        "distill": {"types": ["channel"], "stages": ["encoder2"]},
        "prune": {"min_channels": 2},
        "train": {"epochs": 1, "batch_size": 3, "picture_every": 9},
    }
    Path("config.yaml").write_text(yaml.safe_dump(config))
    Path("table.yaml").write_text(yaml.safe_dump({"config": "config.yaml", "seeds": [0], **table}))


def put(**changes: object) -> None:
    Path("table.yaml").write_text(yaml.safe_dump(TABLE | changes, sort_keys=False))


def filled(stub: Scripts, *overrides: str, engine: Engine | None = None, **how) -> list[str]:
    table = rows.load("table.yaml", overrides)
    try:
        return fill(table, engine or Engine(), call=stub, **how)
    finally:
        write(table)


def told() -> str:
    return Path("result/tables/table/table.md").read_text()


def line_of(start: str) -> list[str]:
    (found,) = [line for line in told().splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in found.strip("|").split("|")]
