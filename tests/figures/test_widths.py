"""The figure of a pruning: widths beside the full network, and how the gates moved."""

import numpy as np
import pytest
from PIL import Image

import models
from models.files import saving as files
from tests.scripts import main, refusal
from utils.figures.widths import BAR, FULL, GAP, LEFT, MARGIN, PLOT, SPACE, read_pruned
from utils.prune import History, cut, gates, scores, select

PLAN = dict.fromkeys(models.build("dim").plan, 8) | {"encoder3.1": 16}


@pytest.fixture
def pruned(tmp_path, monkeypatch):
    """A pruned.tar whose encoder3.1 keeps 4 of 16, with two rows of gates."""
    monkeypatch.chdir(tmp_path)
    network, history = models.build("dim", PLAN), History()
    history.add(network, 0)
    for members in gates(network).values():
        members[0].scale.data[0] = 0
    history.add(network, 7)
    keep = select(network, 0.0) | {"encoder3.1": [0, 1, 2, 3]}
    beside = {"keep": keep, "scores": scores(network), "gates": history.rows}
    path = tmp_path / "run" / "pruned.tar"
    path.parent.mkdir()
    files.save(path, files.record(cut(network, keep)) | beside)
    return path


def test_bars_are_as_high_as_the_widths(pruned, tmp_path):
    main("figure.py", "--widths", str(pruned), "--out", "widths.png")
    picture = np.array(Image.open(tmp_path / "widths.png"))
    found = read_pruned(pruned)
    assert found.label == f"run: {sum(PLAN.values()) - 12} of {sum(PLAN.values())} channels"
    middle = MARGIN + GAP + list(PLAN).index("encoder3.1") * (BAR + GAP) + BAR // 2
    column = picture[2 * SPACE : 2 * SPACE + PLOT, middle]
    assert (column == LEFT).all(1).sum() == round(PLOT * 4 / 16)
    assert (column == FULL).all(1).sum() == PLOT - round(PLOT * 4 / 16)
    narrow = picture[2 * SPACE : 2 * SPACE + PLOT, MARGIN + GAP + BAR // 2]
    assert (narrow == LEFT).all(1).sum() == PLOT // 2 and not (narrow == FULL).all(1).any()


def test_the_history_counts_every_gate_and_the_zeros(pruned):
    first, last = read_pruned(pruned).gates
    assert (first["step"], last["step"]) == (0, 7)
    for row in (first, last):
        assert sum(row["encoder"]["counts"]) == sum(PLAN.values())
    assert (first["encoder"]["zero"], last["encoder"]["zero"]) == (0, len(PLAN))
    assert first["encoder"]["counts"][-1] == sum(PLAN.values())  # all 1
    assert last["encoder"]["counts"][0] == len(PLAN)


def test_a_history_goes_on_from_its_state():
    network, history, other = models.build("dim", PLAN), History(), History()
    history.add(network, 3)
    other.load_state_dict(history.state_dict())
    other.add(network, 4)
    assert [row["step"] for row in other.rows] == [3, 4] and len(history.rows) == 1


def test_a_file_that_is_no_cut_is_refused(pruned, tmp_path):
    files.save(tmp_path / "whole.tar", files.record(models.load(pruned)))
    line = refusal("figure.py", "--widths", "whole.tar", "--out", "widths.png")
    assert "whole.tar: not a cut of train_prune.py; give its pruned.tar" in line


def test_a_pdf_prints_as_wide_as_asked_for(pruned, tmp_path):
    main("figure.py", "--widths", str(pruned), "--inches", "5", "--out", "widths.pdf")
    assert b"/MediaBox [ 0 0 360" in (tmp_path / "widths.pdf").read_bytes()
