"""Every option of every script: its name, type, bounds, default and meaning, in this one place.

A YAML file holds what differs from the defaults; `key=value` arguments override it. Unknown keys,
wrong types and impossible values end in one line that names the file, the key and what is allowed.
"""

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import InputError
from utils.data.trimap import LARGEST_RADIUS

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Radius = Annotated[int, Field(ge=1, le=LARGEST_RADIUS)]
Name = Annotated[str, Field(min_length=1)]
Scales = Annotated[tuple[Positive, ...], Field(min_length=1)]
Stages = Annotated[tuple[str, ...], Field(min_length=1)]
RESULT = Path("result")
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


class Section(BaseModel):
    """A part of the config that takes its own keys only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _may_be_empty(cls, content: object) -> object:
        return {} if content is None else content  # a section whose keys are all commented out


class NetworkConfig(Section):
    """The network that train.py trains; the pruning scripts take the teacher's instead."""

    name: Literal["dim"] = "dim"
    width: Positive = 1.0  # every width times this
    convolutions: tuple[Count, Count, Count, Count, Count] = (2, 2, 3, 3, 3)  # per encoder block
    pretrained: Literal["imagenet"] | None = None  # start the encoder from ImageNet's VGG-16


class DataConfig(Section):
    dataset: Name = "sample"  # the folder data/<dataset>
    root: str = "data"  # where data sets live
    backgrounds: str | None = None  # a folder; null: data/<dataset>/train/bg
    crop: Count = 320  # side of a training sample
    crop_scales: Scales = (1.0, 1.5, 2.0)  # it is cut this much larger, then resized
    trimap: Literal["varied", "narrow"] = "varied"  # narrow: 1-2 px, as released by mistake
    trimap_radius: tuple[Radius, Radius] = (1, 30)  # pixels, drawn evenly; for varied
    flip: bool = True
    jitter: Share = 0.125  # brightness, contrast, saturation and hue by up to this
    backgrounds_per_foreground: Count = 100  # an epoch is so many samples of each foreground
    valid_backgrounds: Count = 4  # samples of each validation foreground
    workers: Annotated[int, Field(ge=0)] = 4  # processes that make samples
    cache_mb: Annotated[int, Field(ge=0)] = 2048  # decoded pictures kept by each worker

    @model_validator(mode="after")
    def _ordered(self) -> "DataConfig":
        if self.trimap_radius[0] > self.trimap_radius[1]:
            raise ValueError("trimap_radius: give the smaller one first")
        return self

    @property
    def folder(self) -> Path:
        return Path(self.root) / self.dataset


class LossConfig(Section):
    """Weights of the terms; the two alpha terms and each similarity (distill.weights times kd)."""

    alpha: Weight = 1.0  # to the true matte
    alpha_teacher: Weight = 1.0  # to the teacher's matte
    kd: Weight = 1.0  # all similarities together


class DistillConfig(Section):
    types: tuple[Literal["spatial", "channel", "batch"], ...] = ("spatial", "channel")
    weights: tuple[Weight, ...] | None = None  # one for each type; null: all 1
    stages: Stages = ("encoder2", "encoder3", "encoder4", "encoder5")
    adapter_bias: bool = False  # SPKD's 1x1 adapters have one, DCP's do not

    @model_validator(mode="after")
    def _one_weight_each(self) -> "DistillConfig":
        for key in ("types", "stages"):
            names = getattr(self, key)
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{key}: {twice[0]} stands twice")
        if self.weights is not None and len(self.weights) != len(self.types):
            raise ValueError(f"weights: {len(self.weights)} for {len(self.types)} types")
        return self


class PruneConfig(Section):
    rate: Share = 0.5  # share of the channels to cut
    sparsity: Weight = 1e-5  # pull of the gates towards zero
    encoder_factor: Weight = 10.0  # this much stronger in the encoder
    ties: Literal["joint", "max_count"] = "joint"  # max_count reproduces the release
    min_channels: Count = 8  # no group falls under it
    round_to: Count = 1  # widths are rounded up to multiples of it
    weights: Literal["scratch", "inherit"] = "scratch"  # how the cut network starts

    @model_validator(mode="after")
    def _counts_carry_no_weights(self) -> "PruneConfig":
        if self.ties == "max_count" and self.weights == "inherit":
            raise ValueError("weights: inherit needs ties=joint; max_count decides widths only")
        return self


class TrainConfig(Section):
    """The loop. Sections train_prune and train_pruned override it for their scripts."""

    epochs: Count = 30
    batch_size: Count = 16
    lr: Positive = 0.01  # Adam
    weight_decay: Weight = 0.0
    schedule: Literal["constant", "step", "cosine"] = "constant"
    warmup: Share = 0.0  # share of all steps during which the rate rises from zero
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.67, 0.87)  # for step: shares
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1  # for step: the rate times this at each
    clip: Positive | None = 5.0  # every gradient entry is clamped to +- this
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = True
    print_every: Count = 20  # steps
    validate_every: Count = 1  # epochs
    save_every: Count = 1  # epochs
    picture_every: Count = 1  # epochs


class Config(Section):
    save_dir: Name = "SPKD"  # results go to result/<save_dir>
    seed: Annotated[int, Field(ge=0, lt=2**63)] = (
        0  # decides initialisation and crops; data_gen.py has its own
    )
    device: str = "auto"  # auto, cpu, cuda, cuda:1
    teacher: str | None = None  # a checkpoint; null: result/<save_dir>/BEST_checkpoint.tar
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    distill: DistillConfig = DistillConfig()
    prune: PruneConfig = PruneConfig()
    train: TrainConfig = TrainConfig()
    train_prune: TrainConfig = TrainConfig()  # only what is set here counts, over train
    train_pruned: TrainConfig = TrainConfig()  # likewise

    @property
    def folder(self) -> Path:
        """Where results go."""
        return RESULT / self.save_dir

    @property
    def teacher_path(self) -> Path:
        return Path(self.teacher) if self.teacher else self.folder / "BEST_checkpoint.tar"

    def loop(self, script: Literal["train", "train_prune", "train_pruned"]) -> TrainConfig:
        """The loop's options for a script: `train` with the script's own section over it."""
        if script == "train":
            return self.train
        own = getattr(self, script).model_dump(exclude_unset=True)
        return self.train.model_copy(update=own)


def load(path: Path | str | None, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file (None: all defaults) with `section.key=value` overrides.

    Raises:
        InputError: no such file, no YAML, an unknown key, a wrong type or an impossible value.
    """
    content = {} if path is None else _read(Path(path))
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not all(key.split(".")):
            raise InputError(f"{text!r} is no override; write section.key=value")
        value = _parse(value, repr(text))
        if isinstance(value, dict):
            raise InputError(f"{text!r}: override one key at a time, {key}.KEY=value")
        _set(content, key.split("."), value, text)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise InputError(_one_line(error, path, overrides)) from error


def add_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """Give a script `--config FILE`, by default one of configs/, and `key=value` overrides."""
    told = f"default: configs/{default}"
    parser.add_argument("--config", default=CONFIGS / default, metavar="FILE", help=told)
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="override it, e.g. train.batch_size=4"
    )


def spkd_flags(arguments: argparse.Namespace) -> list[str]:
    """The overrides that the flags of SPKD's release stand for; its layers count from 0."""
    overrides = []
    if arguments.batch_size is not None:
        overrides.append(f"train.batch_size={arguments.batch_size}")
    if arguments.KD_type is not None:
        overrides.append(f"distill.types=[{arguments.KD_type.strip('[]')}]")
    if arguments.feature_layer is not None:
        layers = [layer.strip() for layer in arguments.feature_layer.strip("[]").split(",")]
        if not all(layer.isdecimal() for layer in layers):
            raise InputError(f"--feature_layer {arguments.feature_layer!r}: write [1,2,3,4]")
        stages = ",".join(f"encoder{int(layer) + 1}" for layer in layers)
        overrides.append(f"distill.stages=[{stages}]")
    if arguments.KD_weight is not None:
        overrides.append(f"distill.weights=[{arguments.KD_weight.strip('[]')}]")
    return overrides


def _read(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; there are those in configs/") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no valid YAML (it is no UTF-8 text)") from error
    content = _parse(text, str(path))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: a config is a list of 'key: value' lines")
    return content


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-5 as a number (YAML 1.2), leaves dates as they are written and
    refuses a key that stands twice."""

    # A run may be called by its date; without a resolver it stays the string it is.
    yaml_implicit_resolvers = {  # noqa: RUF012, as in the class above
        first: [(tag, regexp) for tag, regexp in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                continue  # the loader above refuses the one and merges the other
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                mark = key_node.start_mark
                raise yaml.constructor.ConstructorError(None, None, f"{key} stands twice", mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _parse(text: str, place: str) -> object:
    try:
        return _tuples(yaml.load(text, _Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 0b_ is no number
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{place}: no valid YAML ({reason})") from error


def _tuples(content: object) -> object:
    """Lists as tuples: strict validation takes no list for a tuple."""
    if isinstance(content, dict):
        return {key: _tuples(value) for key, value in content.items()}
    return tuple(map(_tuples, content)) if isinstance(content, list) else content


def _set(content: dict, keys: list[str], value: object, text: str) -> None:
    for key in keys[:-1]:
        if content.get(key) is None:
            content[key] = {}
        content = content[key]
        if not isinstance(content, dict):
            raise InputError(f"{text!r}: {key} is {content!r} already, which has no keys")
    content[keys[-1]] = value


def _one_line(error: ValidationError, path: Path | str | None, overrides: Sequence[str]) -> str:
    first = error.errors()[0]
    kind, reason, value = first["type"], first["msg"], first["input"]
    keys = [part for part in first["loc"] if isinstance(part, str)]  # without places in a list
    if kind == "value_error":  # from our own validators: "key: reason"
        name, _, reason = reason.removeprefix("Value error, ").partition(": ")
        keys.append(name)
    elif kind == "invalid_key":
        keys = [str(part) for part in first["loc"]]
    elif kind == "extra_forbidden":
        reason = f"unknown key; {_allowed(keys)}"
    elif kind == "model_type":
        reason = f"a section holds keys; {_allowed([*keys, ''])}"
    elif kind in ("missing", "too_short", "too_long"):
        reason = "too few values in this list" if kind != "too_long" else reason
    else:
        value = list(value) if isinstance(value, tuple) else value
        reason = f"{reason}, not {repr(value)[:60]}"
    key = ".".join(keys)
    blamed = [repr(text) for text in overrides if _is_about(text, key)]
    place = blamed[-1] if blamed else f"{path}: {key}"
    reason = (reason[0].lower() + reason[1:]).replace("tuple", "list")
    return " ".join(f"{place}: {reason}".split())


def _is_about(override: str, key: str) -> bool:
    given = override.partition("=")[0]
    return f"{key}.".startswith(f"{given}.") or given.startswith(f"{key}.")


def _allowed(keys: list[str]) -> str:
    section: type[BaseModel] = Config
    for key in keys[:-1]:
        section = section.model_fields[key].annotation
    names = list(section.model_fields)
    close = _elsewhere(keys[-1]) or difflib.get_close_matches(keys[-1], names, 1, cutoff=0.5)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}allowed here: {', '.join(names)}"


def _elsewhere(name: str) -> list[str]:
    """`section.name` of the sections that have a key of that name."""
    sections = {
        key: getattr(field.annotation, "model_fields", ())
        for key, field in Config.model_fields.items()
    }
    return [f"{key}.{name}" for key, names in sections.items() if name in names]
