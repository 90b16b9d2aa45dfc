"""How far a job is: a bar on a terminal, plain lines in a log."""

import io

from utils.cli import progress
from utils.cli.progress import Bar, Lines, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_a_file_lines(monkeypatch):
    assert isinstance(progress_bar(total=3), Lines)
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress_bar(total=3) as bar:
        assert isinstance(bar, Bar) and bar.rate == 0


def test_lines_are_few_and_whole(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress_bar(desc="composing", total=100, unit="image", dynamic_ncols=True) as bar:
        for _ in range(100):
            now[0] += 1
            bar.update()
            bar.set_postfix_str(f"SAD {bar.n}")
        assert bar.rate == 1
        bar.write("epoch 1")
    assert list(progress_bar([1, 2, 3], desc="importing", unit="file")) == [1, 2, 3]
    printed = capsys.readouterr()
    assert printed.out == "epoch 1\n" and printed.err.splitlines() == [
        "composing: image 30 of 100, 30 s, SAD 29",
        "composing: image 60 of 100, 60 s, SAD 59",
        "composing: image 90 of 100, 90 s, SAD 89",
        "composing: image 100 of 100, 100 s, SAD 100",
        "importing: file 3 of 3, 0 s",
    ]


def test_what_did_nothing_says_nothing(capsys):
    progress_bar(total=0, disable=True).close()
    with progress_bar(total=5, initial=5):
        pass
    assert capsys.readouterr().err == ""
