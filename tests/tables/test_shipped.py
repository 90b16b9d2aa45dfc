"""The tables that come along: every row of their small versions can begin."""

import pytest

import models
from models import Network
from tests.scripts import REPOSITORY
from utils import config as configs
from utils.config.options import Config
from utils.prune import make_sparsity
from utils.tables import rows
from utils.train.objective import Objective

SMALL = sorted((REPOSITORY / "configs/tables").glob("sample_*.yaml"))


def network(config: Config) -> Network:
    wanted = config.network
    plan = models.scaled_plan(wanted.name, wanted.width, **wanted.structure)
    return models.build(wanted.name, plan, **wanted.structure)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_every_row_can_begin(path):
    table = rows.load(path)
    teachers = {}
    for name, options in table.config.teachers.items():
        config = configs.validated(Config, table.options(options), path)
        file = config.teacher and REPOSITORY / config.teacher
        teacher = models.load(file) if file else network(config)
        structure = teacher.structure | {"gates": True}
        teachers[name] = teacher, models.build(teacher.name, teacher.plan, **structure)
    begun = []
    for row in table.rows:
        teacher, gated = teachers[row.teacher]
        training = configs.validated(Config, table.options(row.training), path)
        if (row.teacher, row.training) not in begun:
            begun.append((row.teacher, row.training))
            student = gated if table.config.pruning else network(training)
            Objective(student, training, teacher)
        pruning = configs.validated(Config, table.options(row.pruning), path)
        if (row.teacher, row.pruning) in begun or pruning.prune.criterion == "uni":
            continue
        begun.append((row.teacher, row.pruning))
        if table.config.pruning:
            imitated = teacher if pruning.prune.criterion == "distilled" else None
            Objective(gated, pruning, imitated, watch=make_sparsity(gated, pruning).watch)
