"""What of a long test is done already: a line a picture, so that it can be continued."""

import json
import logging
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.disk.record import record, unchanged

log = logging.getLogger(__name__)


class Journal:
    """The rows of a test so far, in memory and, where a file is given, on the disk.

    The first line of the file holds the settings, each other one the row of a picture with the
    records of the files that it came from. A line that was cut short by a crash is no line.
    """

    def __init__(
        self,
        file: Path | None,
        settings: dict,
        sources: dict[str, list[Path]],
        resume: bool = False,
    ) -> None:
        """Begin anew, or with `resume` with those rows of the file that still hold.

        Args:
            settings: all that decides the scores but the pictures; plain data.
            sources: the files of each picture, by name, its matte among them; a row holds as long
                as they are there and none of them has changed.
        """
        self._file, self._sources = file, sources
        kept = _read(file, settings) if file and resume else []
        kept = [line for line in kept if unchanged(sources.get(_name(line), []), line["files"])]
        self.rows: dict[str, dict] = {_name(line): line["row"] for line in kept}
        if file:
            with atomic(file) as temporary:
                text = "".join(json.dumps(line) + "\n" for line in (settings, *kept))
                temporary.write_text(text, encoding="utf-8")

    def add(self, row: dict) -> None:
        """Note the row of a picture."""
        self.rows[row["name"]] = row
        if self._file is None:
            return
        line = {"row": row, "files": [str(record(path)) for path in self._sources[row["name"]]]}
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise InputError(
                f"{self._file}: cannot be written ({error.strerror}); free some space and go on "
                "with --resume"
            ) from error


def _read(file: Path, settings: dict) -> list[dict]:
    if not file.is_file():
        return []
    # What follows the last line break is an unfinished line, or nothing.
    first, *lines = file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
    if first != json.dumps(settings):
        log.info("%s: of another network or with other options; nothing of it is kept", file)
        return []
    rows = [_row(line) for line in lines]
    if None in rows:
        log.warning("%s: %d of its lines are damaged; scored again", file, rows.count(None))
    return [row for row in rows if row]


def _row(line: str) -> dict | None:
    """What a line holds; None where that is no row of numbers."""
    try:
        content = json.loads(line)
        files, row = content["files"], content["row"]
        numbers = all(isinstance(value, int | float) for k, value in row.items() if k != "name")
        known = numbers and isinstance(row["name"], str) and isinstance(files, list)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return content if known else None


def _name(line: dict) -> str:
    return line["row"]["name"]
