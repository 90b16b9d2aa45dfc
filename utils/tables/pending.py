"""Which run of a table comes next, where several go on side by side."""

from collections.abc import Sequence
from pathlib import Path
from threading import Condition

from utils.tables.jobs import Job, Run


class Pending:
    """Runs in their order, for several threads; one that needs what is just being made waits."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._left = list(runs)
        self._making: set[Path] = set()
        self._changed = Condition()
        self.stopped = False

    def next(self) -> Run | None:
        """The first run whose needs nobody is making; None where none is left."""
        with self._changed:
            while self._left and not self.stopped:
                for run in self._left:
                    needs = {run.teacher, *(job.outcome for job in run.jobs)}
                    if not needs & self._making:
                        self._left.remove(run)
                        self._making |= {job.outcome for job in run.jobs}
                        return run
                self._changed.wait()
            return None

    def finish(self, *jobs: Job) -> None:
        """They are made, or went wrong: who needs them may go on."""
        with self._changed:
            self._making -= {job.outcome for job in jobs}
            self._changed.notify_all()

    def stop(self) -> None:
        """No run comes any more."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
