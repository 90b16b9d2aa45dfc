"""What was asked to be imported, and what came of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError
from utils.data.folders import Part
from utils.data.importers.matching import Matched
from utils.data.importers.placing import How, put_files


class Request(NamedTuple):
    """An import."""

    kind: str
    source: Path  # what the user named
    folder: Path  # the same, or where it is unpacked
    root: Path  # of the data set
    part: Part | None
    how: How
    workers: int

    def lacks(self, sought: str) -> InputError:
        """The error that nothing of what was `sought` is there."""
        there = sorted(path.name for path in self.folder.iterdir() if path.is_dir())[:5]
        return InputError(
            f"{self.source}: looked for {sought}, and found none in its folders "
            f"({', '.join(there) or 'there are none'}); check --from and --kind"
        )


class Summary(NamedTuple):
    """What was imported."""

    folders: dict[str, int]  # pictures of the source by where they are now: {"train/fg": 431, ...}
    written: int  # files that are new
    kept: int  # files that were there already

    def __str__(self) -> str:
        parts = [f"{count} {folder}" for folder, count in self.folders.items()]
        return f"{', '.join(parts)} ({self.written} files written, {self.kept} were there)"


def put_matched(request: Request, found: dict[Part, Matched]) -> Summary:
    """Put the foregrounds of parts, their mattes and for test their trimaps into the data set."""
    targets: dict[Path, Path] = {}
    counts: dict[str, int] = {}
    for part, matched in found.items():
        kinds = {
            "fg": {one.name: one.fg for one in matched.foregrounds},
            "alpha": {one.name: one.alpha for one in matched.foregrounds},
        }
        if part == "test" and matched.trimaps:
            kinds["trimap"] = matched.trimaps
        for kind, files in kinds.items():
            folder = request.root / part / kind
            targets |= {folder / f"{name}{path.suffix}": path for name, path in files.items()}
            counts[f"{part}/{kind}"] = len(files)
    return Summary(counts, *put(request, targets))


def put(request: Request, targets: Mapping[Path, Path]) -> tuple[int, int]:
    """`put_files` of a request."""
    return put_files(targets, request.how, request.source, request.folder, request.root)
