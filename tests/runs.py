"""The scripts on a tiny data set, and what the plain reference says they end with."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.plain_method import Settings, Trained, Weights, train
from tests.scripts import REPOSITORY, main
from utils import config as configs
from utils.data.crops.crop_set import Sources
from utils.data.loader import training_loader, validation_loader

DCP, SPKD = (REPOSITORY / "configs" / f"{name}.yaml" for name in ("train_SPKD", "student_SPKD"))
LAST = {name: f"checkpoint{name[5:]}.tar" for name in ("train", "train_prune", "train_pruned")}
BEST = {"train": "BEST_checkpoint.tar", "train_pruned": "BEST_pruned.tar"}
SIZES = (
    *("data.dataset=discs", "data.crop=64", "data.trimap_radius=[2,8]", "data.workers=0"),
    *("data.backgrounds_per_foreground=4", "data.valid_backgrounds=2", "device=cpu"),
    *("network.pretrained=null", "train.batch_size=3", "prune.min_channels=2"),
    "train.channels_last=false",  # it sums in another order, and maxima that tie fall otherwise
)
SECTIONS = {
    **{"seed": "", "stages": "distill.", "adapter_bias": "distill."},
    **dict.fromkeys(("alpha", "alpha_teacher", "kd"), "loss."),
    **dict.fromkeys(("sparsity", "encoder_factor"), "prune."),
    **dict.fromkeys(("validate_every", "lr", "betas", "weight_decay", "clip"), "train."),
    **dict.fromkeys(("schedule", "warmup", "milestones", "decay"), "train."),
}
TEACHER = ("teacher=teacher/BEST_checkpoint.tar",)
PUBLISHED = Settings()
FIXED_STUDENT = replace(PUBLISHED, alpha=0.5, alpha_teacher=0.5, adapter_bias=True)
OTHER = replace(  # every number another than its default
    PUBLISHED,
    seed=7,
    alpha=2.0,
    alpha_teacher=0.5,
    kd=3.0,
    types=(("channel", 0.5), ("batch", 2.0), ("spatial", 0.25)),
    stages=("encoder3", "encoder4"),
    adapter_bias=True,
    epochs=3,
    validate_every=2,
    lr=0.004,
    betas=(0.8, 0.95),
    weight_decay=0.02,
    schedule="cosine",
    warmup=0.3,
    clip=0.05,
    sparsity=0.002,
    encoder_factor=3.0,
)
STEPPED = replace(OTHER, schedule="step", milestones=(0.3, 0.8), decay=0.3)


def overrides(s: Settings, base: Settings) -> list[str]:
    """The command line's words for what differs from `base`, which the config holds."""
    told = [f"{script}.epochs={s.epochs}" for script in LAST]
    for key, section in SECTIONS.items():
        value = getattr(s, key)
        if value != getattr(base, key):
            value = list(value) if isinstance(value, tuple) else value
            told.append(f"{section}{key}={str(value).lower()}")
    if s.types != base.types:
        told.append(f"distill.types={[kind for kind, _ in s.types]}")
        told.append(f"distill.weights={[weight for _, weight in s.types]}")
    return told


@dataclass
class Run:
    """A script called with settings; what it left and what the reference says."""

    script: str
    settings: Settings
    folder: Path
    config: Path = DCP
    more: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return [
            *("--config", str(self.config), *SIZES, f"save_dir={self.folder}", *self.more),
            *overrides(self.settings, FIXED_STUDENT if self.config == SPKD else PUBLISHED),
        ]

    def start(self, *words: str) -> None:
        main(f"{self.script}.py", *self.words, *words)

    def reference(
        self, weights: Weights, teacher: Weights | None, pruning: bool = False
    ) -> Trained:
        """The plain training on the same samples."""
        config = configs.load(self.config, self.words[2:])
        sources, epochs = Sources(config), self.settings.epochs
        batches = [batch[:3] for batch in training_loader(sources, 3, epochs, False)]
        crops = [batch[:3] for batch in validation_loader(sources, 3, False)]
        return train(self.settings, weights, teacher, batches, crops, pruning)

    def ends_as(self, wanted: Trained) -> None:
        """Hold weights, adapters and validations against the reference."""
        last = read(self.folder / LAST[self.script])
        same(last["weights"], wanted.weights)
        adapters = last["training"].get("distillation", {})
        names = {name: f"adapters.convolutions.{name}" for name in wanted.adapters}
        assert adapters.keys() == set(names.values())
        same({name: adapters[names[name]] for name in names}, wanted.adapters)
        events = EventAccumulator(str(self.folder / "board" / self.script))
        events.Reload()
        for place, name in enumerate(("alpha", "SAD")):
            found = {e.step: e.value for e in events.Scalars(f"valid/{name}")}
            expected = {step: v[place] for step, v in wanted.valid.items()}
            assert found == pytest.approx(expected, rel=1e-6)
        assert last["training"]["best"] == pytest.approx(
            min(alpha for alpha, _ in wanted.valid.values()), rel=1e-6
        )
        if self.script in BEST:
            same(read(self.folder / BEST[self.script])["weights"], wanted.best)


def read(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def same(found: Weights, wanted: Weights) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        # A BatchNorm takes out the bias before it: its gradient is rounding, which Adam scales up.
        atol = 1e-6 if name.endswith(("conv.bias", "running_mean")) else 1e-8
        torch.testing.assert_close(
            found[name], value, rtol=1e-6, atol=atol, msg=lambda told, name=name: f"{name}: {told}"
        )
