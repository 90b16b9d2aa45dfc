"""From the teacher to the cut network: what each script starts from, and what cannot be."""

from pathlib import Path

import pytest
import torch
import yaml

import models
import train_prune
import train_pruned
from models.files import saving as files
from tests.refusals import refused
from tests.train.test_resume import CONFIG
from utils.prune import Sparsity


@pytest.fixture
def here(data, tmp_path, monkeypatch):
    """A working folder with a config; its networks are what a test puts there."""
    monkeypatch.chdir(tmp_path)
    content = CONFIG | {"data": CONFIG["data"] | {"root": str(data.parent), "dataset": data.name}}
    content |= {
        "save_dir": "run",
        "teacher": "teacher.tar",
        "train": {"epochs": 1, "batch_size": 3},
    }
    Path("config.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def network(name: str, **structure) -> models.Network:
    torch.manual_seed(0)
    plan = models.scaled_plan(name, 1 / 32 if name == "dim" else 1 / 8, **structure)
    return models.build(name, plan, **structure)


def start(script, *words: str) -> None:
    script.main(["--config", "config.yaml", *words])


DIM = ({"convolutions": [1, 1, 1, 2, 2]}, {"convolutions": [2, 2, 3, 3, 3]})


def test_the_cut_network_is_trained_with_its_own_structure_under_another_teacher(here):
    files.save_network("teacher.tar", network("dim", **DIM[1]))
    (here / "result" / "run").mkdir(parents=True)
    small = network("dim", **DIM[0])
    files.save_network("result/run/pruned.tar", small)
    start(train_pruned)
    trained = models.load("result/run/BEST_pruned.tar")
    assert (trained.structure, trained.plan) == (small.structure, small.plan)


def test_what_the_cut_folds_is_trained_as_the_teacher_had_it():
    teacher = network("gca")
    cut = teacher.folded(norms=False)
    assert train_pruned.structure_before_cut(teacher, cut) == teacher.structure != cut.structure
    assert train_pruned.structure_before_cut(network("dim"), cut) == cut.structure


def test_widths_of_max_count_carry_no_weights_to_the_next_script(here):
    files.save_network("teacher.tar", network("dim"))
    start(train_prune, "prune.ties=max_count", "prune.weights=scratch")
    line = refused(start, train_pruned, "prune.weights=inherit")
    assert line.startswith("prune.weights: result/run/pruned.tar was cut with ties=max_count")


def test_a_folded_teacher_has_nothing_to_prune(here):
    folded = network("dim").eval().folded()
    files.save_network("teacher.tar", folded)
    for words in ((), ("--pull",)):
        line = refused(start, train_prune, *words)
        assert line.startswith("teacher: teacher.tar is folded for deployment and has no gates")
    assert isinstance(Sparsity(folded, 1e-5, 10).value(), torch.Tensor)
