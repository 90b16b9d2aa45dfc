"""Cuts of a teacher without a stage of gates, in steps, and the choice among several cuts."""

import logging
from collections.abc import Sequence

from models import Network
from models.errors import InputError
from models.files import saving as files
from utils import distributed
from utils.cli.table import table
from utils.config.options import Config, PruneConfig
from utils.networks.loading import set_seed
from utils.prune import CRITERIA, Budget, cut_in_steps, gated, gates, per_cost
from utils.prune.cut import Cut
from utils.prune.scores import Scores
from utils.train.loop import Run
from utils.train.objective import Objective
from utils.train.setup import batch_losses

log = logging.getLogger(__name__)


def cut_without_gates(
    network: Network,
    teacher: Network,
    config: Config,
    prune: PruneConfig,
    budget: Budget | None,
    checkpoints: Sequence[str],
    resume: bool,
) -> Cut:
    """Cut `network` by its weights and by batches, in steps; see `cut_in_steps`.

    Args:
        network: the teacher with a gate on every group.
        prune: in place of the config's.
        checkpoints: in `config.folder`, one for each training between two steps.

    Raises:
        InputError: no data, or as many steps as cannot be.
    """
    epochs, rest = divmod(config.loop("train_prune").epochs, prune.steps)
    if rest:
        raise InputError(
            f"prune.steps={prune.steps}: train_prune.epochs={epochs * prune.steps + rest} are not "
            "so many equal parts; give a multiple, with fewer data.backgrounds_per_foreground"
        )
    set_seed(config)

    def score(network: Network) -> Scores:
        objective = Objective(gated(network), config)
        ranked = CRITERIA[prune.criterion](objective.network, batch_losses(objective, config))
        kept = {group: ranked[group] for group in gates(objective.network)}
        return per_cost(kept, network, prune)

    def train(network: Network, k: int) -> None:
        own = config.model_copy(update={"seed": config.seed + (k - 1 << 32)})  # other samples
        goes_on = resume and (k == 1 or (config.folder / checkpoints[k - 1]).is_file())
        _train(network, teacher, own, epochs, checkpoints[k - 1], goes_on)

    return cut_in_steps(network.eval(), prune, budget, score, train)


def best_candidate(
    networks: Sequence[Network],
    teacher: Network,
    config: Config,
    checkpoints: Sequence[str],
    resume: bool,
) -> int:
    """Train each network in place for an epoch; the place of the best by validation.

    FastNAS of NVIDIA's Model Optimizer chooses so among subnets.

    Args:
        networks: one for each of `prune.candidates`.
        checkpoints: in `config.folder`, one for each network.
    """
    results = []
    for network, last in zip(networks, checkpoints, strict=True):
        file = config.folder / last
        _train(network, teacher, config, 1, last, resume and file.is_file())
        best = None if distributed.rank() else files.read(file)["training"]["best"]
        results.append(distributed.from_first(best))
    pairs = zip(config.prune.candidates, results, strict=True)
    rows = [(f"{share:g}", f"{result:.4f}") for share, result in pairs]
    log.info("%s", table(("prune.min_share", "validation"), rows))
    return results.index(min(results))


def _train(
    network: Network, teacher: Network, config: Config, epochs: int, last: str, resume: bool
) -> None:
    """Train a cut network under the terms of the pruning stage, for some of its epochs."""
    own = config.train_prune.model_copy(update={"epochs": epochs})
    config = config.model_copy(update={"train_prune": own})
    origin = {"cut network": files.fingerprint(network)}
    objective = Objective(network, config, teacher)
    Run(objective, config, "train_prune", last=last, origin=origin, resume=resume).fit()
