"""What decides a training: its options, its teacher, its data. To resume, they must be the same."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from models.errors import InputError
from models.files.saving import fingerprint
from utils.config.options import Config, Section, TrainConfig
from utils.prune import Sparsity
from utils.train.objective import Objective

# Where data lie, how they are read, and how the network is validated.
FREE = ("root", "workers", "cache_mb", "valid_backgrounds")
OF_TEACHER = ("alpha_teacher", "soft_targets", "temperature", "kd")
OF_SPARSITY = ("criterion", "sparsity", "sparsity_form", "encoder_factor", "ties", "start")

Identity = Mapping[str, Mapping[str, object]]


def identity(
    objective: Objective,
    config: Config,
    options: TrainConfig,
    sparsity: Sparsity | None,
    content: Mapping[str, str],
) -> Identity:
    """Plain data: `options` {section.key: value} that this training uses, and `content`.

    Other options may change when it is resumed: they neither decide the samples nor the loss.

    Args:
        content: short texts that tell what it was made of, by name; the teacher's is added.
    """
    used = {"seed": config.seed}
    used |= _flat("data", config.data, exclude=FREE) | _flat("augment", config.augment)
    used |= _flat("loss", config.loss, exclude=OF_TEACHER)
    used |= _flat("train", options, include=("batch_size", "optimizer", "frozen"))
    if objective.teacher is not None:
        used |= _flat("loss", config.loss, include=OF_TEACHER)
        used |= _flat("distill", config.distill, include=("views",))
        content = {**content, "teacher": fingerprint(objective.teacher)}
    if objective.distillation is not None:
        unused = () if "cwd" in config.distill.types else ("cwd_temperature",)
        used |= _flat("distill", config.distill, exclude=unused)
    if sparsity is not None:
        used |= _flat("prune", config.prune, include=OF_SPARSITY)
        if sparsity.watch:
            used |= _flat("distill", config.distill, include=("stages",))
    return {"options": used, "content": dict(content)}


def check_same(path: Path, before: Identity, now: Identity) -> None:
    """Refuse to resume the training in `path` as another one.

    Raises:
        InputError: it had other options, another teacher or other data.
    """
    cure = "--resume continues the same training, so restore it, or begin anew with --overwrite"
    for name in {**now["content"], **before["content"]}:
        if before["content"].get(name) != now["content"].get(name):
            raise InputError(f"{path}: trained with another {name} than this run's; {cure}")
    for key in {**now["options"], **before["options"]}:
        old = before["options"][key] if key in before["options"] else _default(key)
        new = now["options"].get(key, "not used")
        if old != new:
            raise InputError(f"{path}: {key} was {old} and is now {new}; {cure}")


def _default(key: str) -> object:
    """What an option was before there was one: by our rule the default changes nothing."""
    return reduce(getattr, key.split("."), Config())


def _flat(name: str, section: Section, **which: tuple[str, ...]) -> dict[str, object]:
    chosen = {key: set(names) for key, names in which.items()}
    return {f"{name}.{key}": value for key, value in section.model_dump(**chosen).items()}
