"""The files that a training script writes: its own alone, and nothing that is read or kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.errors import InputError
from utils.config.options import Config
from utils.disk.lock import folder_lock


@contextmanager
def claimed(
    config: Config, names: Sequence[str], *, resume: bool = False, overwrite: bool = False
) -> Iterator[None]:
    """Inside, `names` in `config.folder` are this process's to write; looked at before any work.

    Args:
        resume: a training that is there goes on.
        overwrite: a training that is there is lost.

    Raises:
        InputError: one of them is read, too, or is there already; another process trains there.
    """
    paths = [config.folder / name for name in names]
    reads = {"teacher": config.teacher}
    reads |= {f"network.{key}": getattr(config.network, key) for key in ("start", "pretrained")}
    for key, read in reads.items():
        for path in paths:
            if read and path.resolve() == Path(read).resolve():
                raise InputError(f"{key}: {read} would be overwritten; choose another save_dir")
    with folder_lock(config.folder, "training"):
        there = next((path for path in paths if path.exists()), None)
        if there and not (resume or overwrite):
            raise InputError(
                f"{there}: is there already; go on with --resume, begin anew with --overwrite, or "
                "choose another save_dir"
            )
        yield
