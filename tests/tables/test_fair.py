"""The rows of a table start from the same weights at the same seed and see the same crops."""

from pathlib import Path

import pytest
import torch

from tests import scripts
from tests.tables.stub import Engine, Scripts, put_real, timed
from utils.tables import rows
from utils.tables.running import fill
from utils.train.objective import Objective

TABLE = {
    "pruning": {"criterion": {"NS": {"prune": {"criterion": "ns"}}, "SPKD": None}},
    "training": {
        "kind": {"none": {"loss": {"alpha_teacher": 0.0, "kd": 0.0}}, "SPKD": None},
    },
    "rows": [{"criterion": ["NS"]}, {"criterion": ["SPKD"], "kind": ["SPKD"]}],
}


@pytest.fixture
def seen(data, tmp_path, monkeypatch) -> dict[str, list]:
    """By folder, what each training started from and the batches that it saw."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("utils.tables.work.take_time", timed)
    put_real(data, TABLE)
    found: dict[str, list] = {}
    stub = Scripts()
    forward = Objective.forward

    def call(script: str, words: list[str], log: Path) -> int:
        if script == "test.py":
            return stub(script, words, log)
        folder = found.setdefault(f"{script} {Path(words[1]).parent}", [])

        def watched(self, batch):
            if not folder:
                weights = self.network.state_dict()
                folder.append({name: value.clone() for name, value in weights.items()})
            folder.append([part.clone() for part in batch[:3]])
            return forward(self, batch)

        monkeypatch.setattr(Objective, "forward", watched)
        scripts.main(script, *words)
        return 0

    assert fill(rows.load("table.yaml"), Engine(), call=call) == []
    return found


def same(one: list, other: list) -> bool:
    (weights, *batches), (others, *more) = one, other
    equal = weights.keys() == others.keys() and len(batches) == len(more) > 0
    return (
        equal
        and all(torch.equal(weights[name], others[name]) for name in weights)
        and all(map(torch.equal, (p for b in batches for p in b), (p for b in more for p in b)))
    )


def test_arms_differ_in_nothing_but_their_options(seen):
    place = "result/tables/table"
    pruned = [seen[f"train_prune.py {place}/pruned/teacher/{arm}/seed0"] for arm in ("NS", "SPKD")]
    assert same(*pruned)
    trained = [seen[f"train_pruned.py {place}/rows/NS/{arm}/seed0"] for arm in ("none", "SPKD")]
    assert same(*trained)
    crops = seen[f"train_pruned.py {place}/rows/SPKD/SPKD/seed0"][1:]
    assert all(
        torch.equal(one, two)
        for a, b in zip(trained[0][1:], crops, strict=True)
        for one, two in zip(a, b, strict=True)
    )
