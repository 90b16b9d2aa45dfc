"""tables.py: what it calls, skips, repeats, and does when a row goes wrong."""

from pathlib import Path

import pytest
import yaml

from tests.tables.stub import TABLE, Engine, Scripts, filled, put, told
from tests.tables.stub import timed as note
from utils.tables import rows
from utils.tables.report import states, write
from utils.tables.steps import ERROR, LATENCY, row_runs, teacher_runs


def test_the_first_seed_of_each_row_comes_before_the_second_of_any(tabled):
    stub = Scripts()
    assert filled(stub) == []
    first = [call for call in stub.calls if "seed0" in call]
    assert stub.calls[:2] == ["train.py teachers/teacher", "test.py teachers/teacher"]
    assert stub.calls[2 : 2 + len(first)] == first
    assert first == [
        "train_prune.py pruned/teacher/UNI/seed0",
        "train_pruned.py rows/UNI/none/seed0",
        "test.py rows/UNI/none/seed0",
        "train_prune.py pruned/teacher/NS/seed0",  # once for both rows
        "train_pruned.py rows/NS/none/seed0",
        "test.py rows/NS/none/seed0",
        "train_pruned.py rows/NS/AT/seed0",
        "test.py rows/NS/AT/seed0",
    ]


def test_each_stage_has_the_options_of_its_arms_alone(tabled):
    filled(Scripts(), "seeds=[3]")
    result = Path("result/tables/table")
    cut = yaml.safe_load((result / "pruned/teacher/UNI/seed3/config.yaml").read_text())
    trained = yaml.safe_load((result / "rows/UNI/none/seed3/config.yaml").read_text())
    assert cut["prune"] == {"criterion": "uni"} and "loss" not in cut
    assert trained["loss"] == {"kd": 0.0} and "prune" not in trained
    assert cut["seed"] == trained["seed"] == 3
    assert cut["teacher"] == str(result / "teachers/teacher/BEST_checkpoint.tar")
    row = result / "rows/UNI/none/seed3/pruned.tar"
    assert row.read_text() == "train_prune.py pruned/teacher/UNI/seed3"


def test_without_a_pruning_stage_a_student_of_fixed_width_is_trained(tabled):
    put(pruning={}, rows=[{}], seeds=[0], published=None)
    stub = Scripts()
    filled(stub)
    assert [call for call in stub.calls if call.startswith("train")] == [
        "train.py teachers/teacher",
        "train.py rows/none/seed0",
        "train.py rows/AT/seed0",
    ]


def test_what_is_done_is_skipped(tabled):
    filled(Scripts())
    again = Scripts()
    filled(again)
    assert again.calls == []


def test_a_row_and_a_test_that_are_new_are_all_that_is_done(tabled):
    filled(Scripts(), "seeds=[0]")
    more = Scripts()
    put(tests={"composed": None, "photos": {"image": "i", "alpha": "a", "trimap": "t"}})
    filled(more, "seeds=[0]")
    assert len(more.calls) == 4 and all(call.startswith("test.py") for call in more.calls)
    assert more.words[0][-6:] == ["--image", "i", "--alpha", "a", "--trimap", "t"]
    assert {file.name for file in Path("result/tables/table").glob("*.md")} == {
        *("table.md", "table-composed.md", "table-photos.md")
    }


def test_rows_of_the_best_follow_the_key(tabled):
    put(rows=[{"criterion": ["best"], "kind": ["AT"]}], best={"criterion": "UNI"})
    assert [row.name for row in rows.load("table.yaml").rows] == ["UNI / AT"]
    (row,) = rows.load("table.yaml", ["best.criterion=NS"]).rows
    assert row.name == "NS / AT"


def test_a_row_that_crashes_is_that_rows_alone_and_is_tried_again(tabled):
    stub = Scripts()
    stub.fails["train_pruned.py rows/NS/none/seed0"] = "error: no memory left"
    errors = filled(stub)
    log = "result/tables/table/rows/NS/none/seed0/log.txt"
    assert errors == [f"train_pruned.py: no memory left (see {log})"]
    assert "test.py rows/NS/AT/seed0" in stub.calls and "test.py rows/NS/none/seed1" in stub.calls
    assert f"- NS / none, seed 0: {errors[0]}" in told()
    (line,) = [line for line in told().splitlines() if "1 of 2, 1 failed" in line]
    assert line.startswith("| NS") and " 10.00 " in line
    again = Scripts()
    assert filled(again) == []
    assert again.calls == [f"{s}.py rows/NS/none/seed0" for s in ("train_pruned", "test")]
    assert again.words[0][-1] == "--resume"
    assert "Went wrong" not in told()


@pytest.mark.parametrize("queues", [False, True])
@pytest.mark.parametrize(
    ("failed", "errors", "calls"),
    [("train.py teachers/teacher", 4, 1), ("train_prune.py pruned/teacher/NS/seed0", 2, 6)],
)
def test_rows_whose_need_failed_tell_it_and_it_is_called_once(
    tabled, queues, failed, errors, calls
):
    stub = Scripts()
    stub.fails[failed] = "ValueError: odd"
    told_errors = filled(stub, "seeds=[0]", jobs=4, engine=Engine(queues))
    script, folder = failed.split()
    error = f"{script}: ValueError: odd (see result/tables/table/{folder}/log.txt)"
    assert told_errors == [error] * errors and len(stub.calls) == calls
    assert stub.calls.count(failed) == 1 and f"- NS / AT, seed 0: {error}" in told()


def test_other_options_are_told_and_nothing_is_replaced(tabled):
    filled(Scripts())
    put(training={"kind": TABLE["training"]["kind"] | {"AT": {"distill": {"types": ["nst"]}}}})
    stub = Scripts()
    errors = filled(stub)
    assert stub.calls == [] and len(errors) == 2
    assert errors[0].startswith(
        "result/tables/table/rows/NS/AT/seed0: train_pruned was done with other options "
        "(distill.types: ['at'], not ['nst']); restore them, or remove this folder"
    )


def test_a_row_of_another_pruning_is_told(tabled):
    filled(Scripts())
    Path("result/tables/table/pruned/teacher/NS/seed0/pruned.tar").write_text("another")
    assert all("(pruned: another file)" in error for error in filled(Scripts()))


def test_where_data_lie_and_how_often_it_is_told_may_change(tabled):
    filled(Scripts())
    stub = Scripts()
    free = ("options.data.root=elsewhere", "options.train.print_every=3", "options.device=auto")
    assert filled(stub, *free) == [] and stub.calls == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}'])
def test_damaged_scores_and_notes_are_made_again(tabled, content):
    filled(Scripts())
    row = Path("result/tables/table/rows/NS/AT/seed0")
    before = told()
    (row / "tests/composed.json").write_text(content)
    (row / LATENCY).write_text(content)
    stub = Scripts()
    assert filled(stub) == [] and stub.calls == ["test.py rows/NS/AT/seed0"]
    assert told() == before
    (row / "done.json").write_text(content)
    stub = Scripts()
    assert filled(stub) == [] and len(stub.calls) == 2


def test_a_row_whose_network_is_gone_is_trained_anew(tabled):
    filled(Scripts())
    Path("result/tables/table/rows/NS/AT/seed0/BEST_pruned.tar").unlink()
    stub = Scripts()
    assert filled(stub) == []
    assert stub.calls[0] == "train_pruned.py rows/NS/AT/seed0"
    assert stub.words[0][-1] == "--overwrite"


@pytest.mark.parametrize(
    ("queues", "jobs", "most"), [(False, 3, 3), (True, None, 11), (True, 2, 2)]
)
def test_rows_at_once_are_the_rows_one_after_the_other(tabled, queues, jobs, most):
    one, several, engine = Scripts(), Scripts(), Engine(queues)
    filled(one)
    table = Path("result/tables/table")
    written = {path.name: path.read_bytes() for path in table.glob("*.*")}
    table.rename("one")
    assert filled(several, jobs=jobs, engine=engine) == []
    assert engine.most == most
    assert sorted(several.calls) == sorted(one.calls)  # a shared pruning once, too
    place = several.calls.index
    assert place("train.py teachers/teacher") == 0
    assert place("train_prune.py pruned/teacher/NS/seed1") < min(
        place(f"train_pruned.py rows/NS/{kind}/seed1") for kind in ("none", "AT")
    )
    assert {path.name: path.read_bytes() for path in table.glob("*.*")} == written


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_interrupted_table_leaves_no_error_and_goes_on_where_it_was(tabled, jobs):
    stopped = "train_pruned.py rows/NS/AT/seed0"
    parts, rest, whole, engine = Scripts(), Scripts(), Scripts(), Engine()
    parts.fails[stopped] = SystemExit(143)
    with pytest.raises(SystemExit):
        filled(parts, jobs=jobs, engine=engine)
    assert len(engine.stopped) == jobs
    assert not list(Path("result").rglob(ERROR)) and "Went wrong" not in told()
    assert filled(rest, jobs=jobs) == []
    assert set(parts.calls) & set(rest.calls) == {stopped}
    assert rest.words[rest.calls.index(stopped)][-1] == "--resume"
    filled(whole, "config=config.yaml")
    assert whole.calls == []


def test_a_job_that_was_killed_is_told_and_the_others_go_on(tabled):
    class Killing(Engine):
        def submit(self, work, name, after):
            return super().submit(
                (lambda: None) if name == "UNI / none, seed 0" else work, name, after
            )

    (error,) = filled(Scripts(), engine=Killing())
    assert error == "its process was killed (see result/tables/table/rows/UNI/none/seed0/log.txt)"
    assert f"- UNI / none, seed 0: {error}" in told()
    assert filled(Scripts()) == []


def test_the_table_is_written_as_rows_end(tabled, monkeypatch):
    monkeypatch.setattr("utils.tables.work.write", write)
    seen = []

    class Watched(Engine):
        def ended(self, jobs):
            done = super().ended(jobs)
            seen.append(sum("1 of 2" in line for line in told().splitlines()))
            return done

    filled(Scripts(), engine=Watched())
    assert seen == [0, 0, 1, 1, 2, 3, 3, 2, 2, 1, 0]


def test_two_processes_do_each_row_once(tabled):
    ours, theirs = Scripts(), Scripts()

    class Late(Engine):
        def ended(self, jobs):
            if not theirs.calls:
                assert filled(theirs) == []
            return super().ended(jobs)

    assert filled(ours, jobs=3, engine=Late()) == []
    assert ours.calls == [] and len(theirs.calls) == len(set(theirs.calls)) > 0


@pytest.mark.parametrize("late", [False, True])
def test_a_row_that_another_process_does_is_left_to_it_as_long_as_it_does(tabled, late):
    table, stub = rows.load("table.yaml"), Scripts()
    run = row_runs(table, teacher_runs(table))[0]
    lock, taken = run.lock(), []

    class Beside(Engine):
        def submit(self, work, name, after):
            if name == run.title and not taken:
                take()
            return super().submit(work, name, after)

        def ended(self, jobs):
            if jobs:
                return super().ended(jobs)
            assert [line for line in states(table).splitlines() if "running" in line]
            lock.__exit__(None, None, None)  # the other one was killed
            return []

    def take() -> None:
        taken.append(lock.__enter__())

    if not late:
        take()
    assert filled(stub, engine=Beside()) == []
    assert stub.calls[-2:] == [f"{one}.py rows/UNI/none/seed0" for one in ("train_pruned", "test")]


def test_networks_are_timed_when_nothing_else_runs(tabled, monkeypatch):
    engine, beside = Engine(), []

    def timed(run) -> None:
        beside.append(len(engine._work))
        note(run)

    monkeypatch.setattr("utils.tables.running.take_time", timed)
    filled(Scripts(), jobs=3, engine=engine)
    assert len(beside) == 7 and not any(beside)
    assert Path("result/tables/table/table-milliseconds.png").exists()


def test_rows_alone_that_are_like_a_pattern_are_filled(tabled):
    stub = Scripts()
    filled(stub, "seeds=[0]", patterns=["*/AT", "UNI/*"])
    trained = [call for call in stub.calls if call.startswith("train_pruned")]
    assert trained == [f"train_pruned.py rows/{row}/seed0" for row in ("UNI/none", "NS/AT")]
    assert "0 of 1" in told()  # the row that was left out stands in the table


def test_at_once_tests_score_in_their_share_of_the_cores(tabled, monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 6)
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    stub = Scripts()
    filled(stub, jobs=2)
    tests = [words for words in stub.words if "--json" in words]
    assert all(words[-2:] == ["--workers", "3"] for words in tests)
    again = Scripts()
    filled(again)  # which is no other option
    assert again.calls == []
