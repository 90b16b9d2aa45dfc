"""Every option of every script: its name, type, bounds, default and meaning, in this one place."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models import NETWORKS
from models.registry import FORMS
from utils.images.trimap import LARGEST_RADIUS

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Few = Annotated[int, Field(ge=1, le=10_000)]
Side = Annotated[int, Field(ge=2, le=16_384)]  # pixels; OpenCV takes one pixel for a number
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Factor = Annotated[float, Field(gt=0, le=16)]
Radius = Annotated[int, Field(ge=1, le=LARGEST_RADIUS)]
Name = Annotated[str, Field(min_length=1)]
File = Annotated[Name, AfterValidator(os.path.expanduser)]  # or a folder; ~ is home
Scales = Annotated[tuple[Factor, ...], Field(min_length=1)]
Stages = Annotated[tuple[str, ...], Field(min_length=1)]
RESULT = Path("result")
BUDGETS = ("parameters", "macs", "milliseconds")


@dataclass(frozen=True)
class KeysOf:
    """Marks the values of a mapping that has the keys of this model."""

    model: type[BaseModel]


class Section(BaseModel):
    """A part of the config that takes its own keys only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _may_be_empty(cls, content: object) -> object:
        return {} if content is None else content  # a section whose keys are all commented out


class NetworkConfig(Section):
    """The network that train.py trains; the pruning scripts take the teacher's instead."""

    name: Name = "dim"
    width: Factor = 1.0  # every width times this
    structure: dict[Name, Any] = {}  # what the network lets choose, such as DIM's convolutions
    # start the encoder from ImageNet's weights: imagenet (torchvision's), or a file of them
    pretrained: File | None = None
    # or train on the network of a file, which brings name, width and weights; what `structure` adds
    # to it is newly initialised, but for more input channels of its layers, which begin at zero
    start: File | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS:
            raise PydanticCustomError("name", f"no such network; there are {', '.join(NETWORKS)}")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> "NetworkConfig":
        if self.start and (self.pretrained or self.width != 1):
            raise ValueError("start: brings its own width and weights; leave out theirs")
        for key in FORMS:
            if key in self.structure:
                raise ValueError(f"structure: {key} is nothing to choose; leave it out")
        return self


class DataConfig(Section):
    dataset: Name = "sample"  # the folder data/<dataset>
    root: File = "data"  # where data sets live
    backgrounds: File | None = None  # a folder; null: data/<dataset>/train/bg
    crop: Side = 320  # side of a training sample
    crop_scales: Scales = (1.0, 1.5, 2.0)  # it is cut this much larger, then resized
    # independent: a radius for each side (GCA); distance: around soft pixels only (IndexNet);
    # narrow: 1-2 px whatever the radius, as released by mistake
    trimap: Literal["varied", "independent", "distance", "narrow"] = "varied"
    # pixels, drawn evenly: of the foreground's picture; of the sample where training bends or fuses
    trimap_radius: tuple[Radius, Radius] = (1, 30)
    shuffle_backgrounds: bool = True  # false: sample k of a foreground has its k-th, as published
    backgrounds_per_foreground: Few = 100  # an epoch is so many samples of each foreground
    valid_backgrounds: Few = 4  # samples of each validation foreground
    workers: Annotated[int, Field(ge=0, le=1024)] = 4  # processes that make samples
    # of decoded backgrounds, kept by each worker
    cache_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 512

    @model_validator(mode="after")
    def _ordered(self) -> "DataConfig":
        if self.trimap_radius[0] > self.trimap_radius[1]:
            raise ValueError("trimap_radius: give the smaller one first")
        return self

    @property
    def folder(self) -> Path:
        return Path(self.root) / self.dataset


class AugmentConfig(Section):
    """What is changed at random in a training sample; probabilities, or on and off."""

    flip: bool = True  # left and right, half of the samples
    jitter: Share = 0.125  # brightness, contrast, saturation and hue by up to this
    jitter_foreground: bool = False  # hue, saturation and value of the foreground alone (GCA)
    fuse: Probability = 0.0  # a second foreground behind the first (GCA)
    fuse_exact: bool = False  # its colours as they are seen behind the first, not as GCA mixes them
    # of each draw three samples: the two foregrounds alone and their fusion (Ye et al., AAAI 2023)
    triplets: bool = False
    affine: bool = False  # flipped, scaled, turned, sheared (GCA)
    squash: Probability = 0.0  # resized to 640 x 640 first (GCA)
    random_interpolation: bool = False  # nearest, linear or cubic (GCA)
    thin: Probability = 0.0  # the soft pixels of a foreground are more transparent
    hide: Probability = 0.0  # an ellipse of the sample is unknown, too
    hide_fused: Probability = 0.0  # of a second foreground nothing is known to be foreground
    linear_light: Probability = 0.0  # mixed as light is before a camera's tone curve
    defocus: Probability = 0.0  # of the background alone, as behind the plane of focus
    gamma: Probability = 0.0  # of the composite, as the next three
    blur: Probability = 0.0
    noise: Probability = 0.0
    jpeg: Probability = 0.0
    scales: tuple[Factor, Factor] = (0.5, 2.0)  # of segmentation: resized by a factor between them
    # of segmentation: half of the samples are turned by up to so many degrees
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> "AugmentConfig":
        if self.scales[0] > self.scales[1]:
            raise ValueError("scales: give the smaller one first")
        for name in ("hide_fused", "fuse_exact"):
            if getattr(self, name) and not self.fuse:
                raise ValueError(f"{name}: does nothing without fuse; give fuse a probability")
        if self.triplets and not (self.fuse == 1 and self.fuse_exact):
            raise ValueError("triplets: include exact fusions; set fuse=1 and fuse_exact=true")
        return self


class LossConfig(Section):
    """Weights of the terms: to the truth, to the teacher's output, to the teacher's stages."""

    alpha: Weight = 1.0  # alpha loss to the true matte
    l1: Weight = 0.0  # L1 to the true matte (GCA)
    laplacian: Weight = 0.0  # Laplacian pyramid of the difference to the true matte
    composition: Weight = 0.0  # of the composites; colours are then jittered before composing
    coarse_alpha: Weight = 0.0  # alpha loss of dim_vgg's matte before its refinement
    coarse_composition: Weight = 0.0  # and its composition loss
    alpha_teacher: Weight = 1.0  # alpha loss to the teacher's matte
    cross_entropy: Weight = 1.0  # of segmentation: to the true labels
    auxiliary: Weight = 0.4  # the same terms of the auxiliary head, where a network has one
    soft_targets: Weight = 1.0  # of segmentation: divergence from the teacher's probabilities
    temperature: Positive = 1.0  # of both probabilities (Hinton); higher tells more of small ones
    kd: Weight = 1.0  # times distill.weights


Kind = Literal["spatial", "channel", "batch", "at", "nst", "fsp", "ofd", "cwd"]


class DistillConfig(Section):
    types: tuple[Kind, ...] = ("spatial", "channel")  # docs/training.md tells what they compare
    weights: tuple[Weight, ...] | None = None  # one for each type; null: all 1
    stages: Stages = ("encoder2", "encoder3", "encoder4", "encoder5")
    adapter_bias: bool = False  # SPKD's 1x1 adapters have one, DCP's do not
    cwd_temperature: Positive = 4.0  # of its softmax over pixels; higher counts weak ones more
    # the teacher's matte is the mean over the picture and its mirror image, or its three flips
    views: Literal["mirror", "flips"] | None = None

    @model_validator(mode="after")
    def _one_weight_each(self) -> "DistillConfig":
        for key in ("types", "stages"):
            names = getattr(self, key)
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{key}: {twice[0]} stands twice; leave one out")
        if self.weights is not None and len(self.weights) != len(self.types):
            counts = f"{len(self.weights)} for {len(self.types)} types"
            raise ValueError(f"weights: {counts}; give one for each")
        if "fsp" in self.types and len(self.stages) == 1:
            raise ValueError(
                "types: fsp compares neighbouring stages; give two or more, or leave it out"
            )
        return self


class BudgetConfig(Section):
    """What the cut network costs: one of the first three, as an amount or, up to 1, a share."""

    parameters: Positive | None = None
    macs: Positive | None = None  # multiply-accumulates of the convolutions
    milliseconds: Positive | None = None  # measured on this device, batch 1, float32
    at: Side | None = None  # for a square picture of this side; null: 224, milliseconds 320

    @model_validator(mode="after")
    def _one_unit(self) -> "BudgetConfig":
        given = [unit for unit in BUDGETS if getattr(self, unit) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: {given[0]} is given already; leave one of them out")
        if self.at is not None and given not in (["macs"], ["milliseconds"]):
            raise ValueError("at: a picture's side, which only macs and milliseconds depend on")
        return self

    @property
    def unit(self) -> Literal["parameters", "macs", "milliseconds"] | None:
        """What is given; None where nothing is."""
        return next((unit for unit in BUDGETS if getattr(self, unit) is not None), None)

    @property
    def side(self) -> int:
        return self.at or (320 if self.unit == "milliseconds" else 224)


PerCost = Literal["macs", "memory", "milliseconds"]
Ungated = Literal["magnitude", "taylor", "fpgm", "random"]


class PruneConfig(Section):
    # how channels are judged: distilled, the gates learned under the teacher (DCP); ns, without
    # it (Network Slimming); cap, as ns, the pull by what channels have in common; uni, every
    # width times the same, without a pruning stage. Without gates, from the teacher's weights:
    # magnitude, their squares; taylor, what the loss to the truth loses; fpgm, distances of filters
    criterion: Literal["distilled", "ns", "cap", "uni", Ungated] = "distilled"
    batches: Few = 20  # of training samples, over which taylor takes the mean
    steps: Few = 1  # without gates: cut so many times, with train_prune.epochs in between
    per_cost: PerCost | None = None  # scores are divided by what a channel of the group costs
    keep: tuple[Name, ...] = ()  # groups that stay whole
    # several values for min_share: a cut by each trains for an epoch of the pruning stage, and the
    # best by validation is kept
    candidates: tuple[Share, ...] = ()
    rate: Share | None = 0.5  # share of the channels to cut; null with a budget
    budget: BudgetConfig = BudgetConfig()  # or what the cut network costs
    sparsity: Weight = 1e-5  # pull of the gates towards zero
    encoder_factor: Weight = 10.0  # this much stronger in the encoder; cap: of distilled stages
    # subgradient: a gradient that the optimiser sees, as published; proximal: a soft threshold
    # after its step, by sparsity times the learning rate, which makes gates exactly zero
    sparsity_form: Literal["subgradient", "proximal"] = "subgradient"
    gate_lr: Positive = 1.0  # the rate of the gates in the pruning stage, times lr
    # several gates of one group: their joint score, or the largest count of any, as DCP's release
    ties: Literal["joint", "max_count"] = "joint"
    min_channels: Count = 8  # no group falls under it
    min_share: Share = 0.0  # least share of its channels that a group keeps
    round_to: Count = 1  # widths are multiples of it
    start: Literal["fresh", "teacher"] = "fresh"  # the weights that the pruning stage starts from
    weights: Literal["scratch", "inherit"] = "scratch"  # how the cut network starts

    @model_validator(mode="after")
    def _counts_carry_no_weights(self) -> "PruneConfig":
        if self.ties == "max_count" and self.weights == "inherit":
            raise ValueError("weights: inherit needs ties=joint; max_count decides widths only")
        if self.ties == "max_count" and not self.has_gates:
            how = f"criterion={self.criterion}"
            raise ValueError(f"ties: max_count counts gates, and {how} looks at none")
        if self.per_cost and (self.ties == "max_count" or self.criterion == "uni"):
            raise ValueError("per_cost: only ranks; leave out ties=max_count and criterion=uni")
        if self.steps > 1 and self.criterion not in get_args(Ungated):
            known = ", ".join(get_args(Ungated))
            raise ValueError(f"steps: needs a criterion without a training: {known}")
        if self.candidates and (self.steps > 1 or self.criterion == "uni" or self.min_share):
            raise ValueError(
                "candidates: are values of min_share to choose from, of one cut that ranks; leave "
                "out min_share, steps and criterion=uni"
            )
        return self

    @property
    def has_gates(self) -> bool:
        """Whether gates are trained and looked at."""
        return self.criterion not in ("uni", *get_args(Ungated))

    @model_validator(mode="after")
    def _rate_or_budget(self) -> "PruneConfig":
        if self.budget.unit and self.rate is not None and "rate" in self.model_fields_set:
            raise ValueError(
                f"rate: budget.{self.budget.unit} decides instead; set prune.rate=null"
            )
        if not self.budget.unit and self.rate is None:
            raise ValueError("rate: null needs a budget, such as prune.budget.macs=0.5")
        return self


class TrainConfig(Section):
    """The loop. Sections train_prune and train_pruned override it for their scripts."""

    epochs: Count = 30
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 16
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Positive = 0.01
    pretrained_lr: Weight = 1.0  # the rate of the layers that ImageNet's weights fill, times lr
    freeze_norms: bool = False  # the BatchNorms of these layers keep their statistics
    # those that are frozen take them from so many batches of this training first
    estimate_norms: Annotated[int, Field(ge=0, le=100_000)] = 0
    # of several processes: BatchNorms normalise over the whole batch, not over each one's share
    sync_batchnorm: bool = False
    frozen: tuple[Name, ...] = ()  # layers whose names begin so are not trained
    betas: tuple[Share, Share] = (0.9, 0.999)  # decay of the means of adam and adamw
    momentum: Share = 0.9  # of sgd
    weight_decay: Weight = 0.0
    schedule: Literal["constant", "step", "cosine"] = "constant"
    warmup: Share = 0.0  # share of all steps during which the rate rises from zero
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.67, 0.87)  # for step: shares
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1  # for step: the rate times this at each
    clip: Positive | None = 5.0  # every gradient entry is clamped to +- this
    clip_norm: Positive | None = None  # all gradients together are scaled down to this norm
    ema: Share = 0.0  # decay of an averaged copy of the weights, which is validated and kept
    # auto: bfloat16 where the processor or GPU computes in it, else float32
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = True
    # torch.compile makes the networks' passes; the CPU needs a C++ compiler, CUDA Triton
    compile: bool = False
    print_every: Count = 20  # steps
    validate_every: Count = 1  # epochs
    save_every: Count = 1  # epochs
    picture_every: Count = 1  # epochs


class Config(Section):
    save_dir: Name = "SPKD"  # results go to result/<save_dir>
    # decides initialisation and crops; data_gen.py has its own
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: str = "auto"  # auto, cpu, cuda, cuda:1
    teacher: File | None = None  # a checkpoint; null: result/<save_dir>/BEST_checkpoint.tar
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    distill: DistillConfig = DistillConfig()
    prune: PruneConfig = PruneConfig()
    train: TrainConfig = TrainConfig()
    train_prune: TrainConfig = TrainConfig()  # only what is set here counts, over train
    train_pruned: TrainConfig = TrainConfig()  # likewise
    _words: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _composites_are_sums(self) -> "Config":
        if self.augment.linear_light and (self.loss.composition or self.loss.coarse_composition):
            raise ValueError(
                "augment.linear_light: a composition loss takes composites for sums of their "
                "colours; leave one of the two out"
            )
        return self

    def __eq__(self, other: object) -> bool:
        """Equal options are the same config, however they were given."""
        return isinstance(other, Config) and self.model_dump() == other.model_dump()

    def named(self, words: Sequence[str]) -> "Config":
        """Itself, noting the `words` of a command line that give it."""
        self._words = tuple(words)
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """`--config FILE` and overrides, as they were given; empty where none were."""
        return self._words

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
