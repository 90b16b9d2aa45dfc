"""tables.py --jobs, --rows: rows side by side, and some of them alone."""

import threading
from pathlib import Path

import pytest

from tests.tables.stub import Scripts, filled, told
from tests.tables.stub import timed as note
from utils.tables import running


class Slow(Scripts):
    """Scripts that take a while, and that look whether what they need is there."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most, self.stopped = 0, 0, threading.Event()
        self._lock = threading.Lock()

    def __call__(self, script: str, words: list[str], log: Path) -> int:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if self.stopped.wait(0.02):
                return 143
            with self._lock:
                return super().__call__(script, words, log)
        finally:
            with self._lock:
                self.now -= 1

    def stop(self) -> None:
        self.stopped.set()


def test_rows_side_by_side_are_the_rows_one_after_the_other(tabled):
    one, several = Scripts(), Slow()
    filled(one)
    table = Path("result/tables/table")
    written = {path.name: path.read_bytes() for path in table.glob("*.*")}
    table.rename("one")
    assert filled(several, jobs=3) == []
    assert several.most == 3
    assert sorted(several.calls) == sorted(one.calls)  # a shared pruning once, too
    assert {path.name: path.read_bytes() for path in table.glob("*.*")} == written
    again = Slow()
    assert filled(again, jobs=3) == [] and again.calls == []


def test_what_a_row_needs_is_made_before(tabled):
    stub = Slow()
    filled(stub, jobs=8)
    place = stub.calls.index
    assert place("train.py teachers/teacher") == 0
    for seed in (0, 1):
        cut = place(f"train_prune.py pruned/teacher/NS/seed{seed}")
        for kind in ("none", "AT"):
            row = f"rows/NS/{kind}/seed{seed}"
            assert cut < place(f"train_pruned.py {row}") < place(f"test.py {row}")
    # The second row of a pruning does not wait for the first one's training.
    first, second = (place(f"train_pruned.py rows/NS/{kind}/seed0") for kind in ("none", "AT"))
    assert max(first, second) < place("test.py rows/NS/none/seed0")


def test_side_by_side_a_pruning_that_failed_is_called_once(tabled):
    stub = Slow()
    stub.fails["train_prune.py pruned/teacher/NS/seed0"] = "ValueError: odd"
    errors = filled(stub, jobs=4)
    assert len(errors) == 2 and len(set(errors)) == 1
    assert stub.calls.count("train_prune.py pruned/teacher/NS/seed0") == 1
    assert "- NS / AT, seed 0: train_prune.py: ValueError: odd (see" in told()
    assert "test.py rows/NS/AT/seed1" in stub.calls


def test_an_interruption_stops_all_rows_and_leaves_no_error(tabled):
    parts, whole = Slow(), Scripts()
    parts.fails["train_pruned.py rows/NS/AT/seed0"] = SystemExit(143)
    with pytest.raises(SystemExit):
        filled(parts, jobs=3)
    assert parts.stopped.is_set()
    assert not list(Path("result").rglob(running.ERROR)) and "Went wrong" not in told()
    rest = Slow()
    assert filled(rest, jobs=3) == []
    filled(whole)
    assert whole.calls == []
    assert set(parts.calls) & set(rest.calls) == set(parts.fails)


def test_networks_are_timed_when_nothing_else_runs(tabled, monkeypatch):
    stub, beside = Slow(), []

    def timed(run, known) -> None:
        beside.append(stub.now)
        note(run, known)

    monkeypatch.setattr(running, "time", timed)
    filled(stub, jobs=3)
    assert len(beside) == 7 and not any(beside)
    assert Path("result/tables/table/table-milliseconds.png").exists()


def test_rows_alone_that_are_like_a_pattern_are_filled(tabled):
    stub = Scripts()
    filled(stub, "seeds=[0]", patterns=["*/AT", "UNI/*"])
    trained = [call for call in stub.calls if call.startswith("train_pruned")]
    assert trained == [f"train_pruned.py rows/{row}/seed0" for row in ("UNI/none", "NS/AT")]
    assert "0 of 1" in told()  # the row that was left out stands in the table


def test_side_by_side_tests_score_in_their_share_of_the_cores(tabled):
    stub = Scripts()
    filled(stub, jobs=2, scorers=3)
    tests = [words for words in stub.words if "--json" in words]
    assert all(words[-2:] == ["--workers", "3"] for words in tests)
    again = Scripts()
    filled(again)  # which is no other option
    assert again.calls == []
