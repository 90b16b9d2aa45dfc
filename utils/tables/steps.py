"""The scripts that a table calls, in their order; what is done of them, and what is not."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from models.errors import InputError
from models.files.atomic import atomic
from models.files.saving import shipped_networks
from utils import config as configs
from utils.cli.files import folder_lock, record
from utils.config.options import Config
from utils.score.scores import METRICS
from utils.tables.rows import BETWEEN, Row, Table

DONE, CONFIG, LOG = "done.json", "config.yaml", "log.txt"
ERROR, LATENCY, TAKEN = "error.txt", "latency.json", ".row.lock"
# What changes neither weights nor scores; inputs are noted by their content, not their place.
FREE = ("save_dir", "teacher", "device", "data.root", "data.workers", "data.cache_mb")
LOGGING = (".print_every", ".save_every", ".picture_every")


@dataclass(frozen=True)
class Step:
    """One call of a script.

    Args:
        content: of the config that is written there for it.
        outcome: the file that is there when it is done.
        inputs: files that it is made from, by what they are.
        last: the checkpoint from which a training goes on.
        words: what the script gets beside `--config`.
        copied: a file that is copied into the folder first.
        test: the name of a test.
    """

    script: str
    folder: Path
    content: Mapping[str, Any]
    outcome: Path
    inputs: Mapping[str, Path]
    last: str | None = None
    words: tuple[str, ...] = ()
    copied: Path | None = None
    test: str = ""

    @property
    def name(self) -> str:
        """In `done.json` of its folder."""
        return f"test {self.test}" if self.test else Path(self.script).stem

    def command(self, scorers: int | None = None) -> list[str]:
        """The words of the command line.

        Args:
            scorers: processes in which a test scores; None leaves the choice to test.py.
        """
        words = ["--config", str(self.folder / CONFIG), *self.words]
        if self.script == "test.py" and scorers is not None:
            words += ["--workers", str(scorers)]
        if self.last:  # one that was done, and whose network is gone, has nothing to go on with
            is_begun = (self.folder / self.last).exists() and not self._noted()
            words.append("--resume" if is_begun else "--overwrite")
        return words

    def done(self) -> bool:
        """Whether its outcome is there and whole, made as it would be now.

        Raises:
            InputError: it was made with other options, or from other files.
        """
        noted = self._noted()
        if not noted or not self.outcome.is_file():
            return False
        if self.script == "test.py" and METRICS[0] not in read_json(self.outcome):
            return False
        now, plain = self._identity(), _flat(Config().model_dump(mode="json"))
        for key in {**now, **noted}:
            before = noted.get(key, plain.get(key))
            if before != now.get(key, plain.get(key)):
                what = "another file" if key in self.inputs else f"{before}, not {now.get(key)}"
                raise InputError(
                    f"{self.folder}: {self.name} was done with other options ({key}: {what}); "
                    "restore them, or remove this folder to do it anew"
                )
        return True

    def prepare(self) -> None:
        """Write the config, and take the file that it needs."""
        with atomic(self.folder / CONFIG) as temporary:
            temporary.write_text(yaml.safe_dump(dict(self.content), sort_keys=False))
        if self.script == "test.py" and METRICS[0] not in read_json(self.outcome):
            self.outcome.unlink(missing_ok=True)  # damaged; test.py replaces scores alone
        if self.copied:
            with atomic(self.folder / self.copied.name) as temporary:
                shutil.copyfile(self.copied, temporary)

    def note(self) -> None:
        """Note that it is done."""
        noted = read_json(self.folder / DONE) | {self.name: self._identity()}
        with atomic(self.folder / DONE) as temporary:
            temporary.write_text(json.dumps(noted, indent=1))

    def _noted(self) -> dict[str, Any]:
        """What it was done with; empty where it was not."""
        noted = read_json(self.folder / DONE).get(self.name)
        return noted if isinstance(noted, dict) else {}

    def _identity(self) -> dict[str, Any]:
        files = {name: _digest(str(record(path)), path) for name, path in self.inputs.items()}
        if self.script == "test.py":
            dataset = self.content.get("data", {}).get("dataset")
            return files | {"data.dataset": dataset, "pictures": list(self.words)}
        config = configs.validated(Config, dict(self.content), self.folder)
        options = _flat(config.model_dump(mode="json"))
        free = {key for key in options if key in FREE or key.endswith(LOGGING)}
        return files | {key: value for key, value in options.items() if key not in free}


@dataclass(frozen=True)
class Run:
    """A teacher, a cut network, or one seed of a row: steps that come one after the other.

    Args:
        network: that the steps make or test.
        needs: what must be done before.
    """

    name: str
    seed: int | None
    folder: Path
    steps: tuple[Step, ...]
    network: Path
    teacher: Path
    needs: tuple["Run", ...] = ()

    @property
    def title(self) -> str:
        """The name with the seed."""
        return self.name if self.seed is None else f"{self.name}, seed {self.seed}"

    @property
    def trained(self) -> bool:
        """Whether its steps make the network."""
        return any(step.outcome == self.network for step in self.steps)

    def done(self) -> bool:
        """Whether nothing of it is left to do; raises as `Step.done`."""
        return all(step.done() for step in self.steps)

    def end(self) -> str | None:
        """Its error, "" where it is done; None where it has not come to an end."""
        with suppress(OSError):
            return (self.folder / ERROR).read_text(encoding="utf-8").strip()
        try:
            return "" if self.done() else None
        except InputError as error:
            return str(error)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note an `InputError` that is raised inside as its error, or that it has none."""
        try:
            yield
        except InputError as error:
            with atomic(self.folder / ERROR) as temporary:
                temporary.write_text(f"{error}\n", encoding="utf-8")
            raise
        (self.folder / ERROR).unlink(missing_ok=True)

    def lock(self, wait: bool = False) -> AbstractContextManager[None]:
        """Inside, no other process does it, here or on another machine."""
        return folder_lock(self.folder, f"filling {self.title}", TAKEN, wait)

    def taken(self) -> bool:
        """Whether a process does it."""
        if not (self.folder / TAKEN).exists():
            return False
        try:
            with self.lock():
                return False
        except InputError:
            return True


def with_needs(runs: Iterable[Run]) -> list[Run]:
    """The runs, and before each what it needs; what several need is there once."""
    every: dict[Path, Run] = {}
    for run in runs:
        for one in (*with_needs(run.needs), run):
            every.setdefault(one.folder, one)
    return list(every.values())


def teacher_runs(table: Table) -> dict[str, Run]:
    """The teachers that rows use, by name: of train.py, unless their options name a file."""
    runs = {}
    for name in dict.fromkeys(row.teacher for row in table.rows):
        folder = table.folder / "teachers" / name
        content = table.options(table.config.teachers[name], save_dir=_save_dir(folder))
        steps = []
        if file := content.get("teacher"):
            network = shipped_networks().get(file, Path(file).expanduser())
        else:
            network = folder / "BEST_checkpoint.tar"
            steps = [Step("train.py", folder, content, network, {}, "checkpoint.tar")]
        steps += _tests(table, folder, content, network)
        runs[name] = Run(name, None, folder, tuple(steps), network, network)
    return runs


def row_runs(table: Table, teachers: Mapping[str, Run]) -> list[Run]:
    """The rows, the first seed of each before the second of any."""
    return [_row(table, row, seed, teachers) for seed in table.config.seeds for row in table.rows]


def _row(table: Table, row: Row, seed: int, teachers: Mapping[str, Run]) -> Run:
    teacher = teachers[row.teacher].network
    folder = table.folder.joinpath("rows", *row.arms.values(), f"seed{seed}")
    shared = {"teacher": str(teacher), "seed": seed}
    content = table.options(row.training, save_dir=_save_dir(folder), **shared)
    inputs = {"teacher": teacher}
    need = teachers[row.teacher]
    if not table.config.pruning:
        network = folder / "BEST_checkpoint.tar"
        steps = [Step("train.py", folder, content, network, inputs, "checkpoint.tar")]
    else:
        arms = [row.arms[axis] for axis in table.config.pruning]
        cut = table.folder.joinpath("pruned", row.teacher, *arms, f"seed{seed}")
        pruning = table.options(row.pruning, save_dir=_save_dir(cut), **shared)
        pruned, network = cut / "pruned.tar", folder / "BEST_pruned.tar"
        step = Step("train_prune.py", cut, pruning, pruned, inputs, "checkpoint_prune.tar")
        need = Run(f"pruning {BETWEEN.join(arms)}", seed, cut, (step,), pruned, teacher, (need,))
        both, last = inputs | {"pruned": pruned}, "checkpoint_pruned.tar"
        steps = [Step("train_pruned.py", folder, content, network, both, last, copied=pruned)]
    steps += _tests(table, folder, content, network)
    return Run(row.name, seed, folder, tuple(steps), network, teacher, (need,))


def _tests(table: Table, folder: Path, content: Mapping[str, Any], network: Path) -> list[Step]:
    steps = []
    for name, pictures in table.config.tests.items():
        scores, out = folder / "tests" / f"{name}.json", folder / "tests" / name
        words = ["--network", str(network), "--json", str(scores), "--out", str(out), "--resume"]
        for key, place in pictures.model_dump(exclude_none=True).items():
            words += [f"--{key}", place]
        inputs = {"network": network}
        options = {"words": tuple(words), "test": name}
        steps.append(Step("test.py", folder, content, scores, inputs, **options))
    return steps


def _save_dir(folder: Path) -> str:
    return str(folder.relative_to("result"))


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file; empty where none is there, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _flat(content: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`{section.key: value}`, as JSON holds it."""
    flat = {}
    for key, value in content.items():
        inner = _flat(value, f"{before}{key}.") if isinstance(value, dict) else {}
        flat |= inner or {f"{before}{key}": value}
    return flat


@cache
def _digest(state: str, path: Path) -> str:
    """A checksum of a file; `state` is its size and time, since one that changed is read anew."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
