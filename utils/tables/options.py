"""What a table compares: every key of a file in configs/tables/."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from utils.config.options import Config, File, KeysOf, Name, Positive, Section, Weight

Arm = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+.-]*$", max_length=60)]
# As in a config, sections and their keys; an arm without keys has no options.
Options = Annotated[
    dict[Name, Annotated[Any, KeysOf(Config)]],
    BeforeValidator(lambda content: {} if content is None else content),
]
Axes = dict[Arm, Annotated[dict[Arm, Options], Field(min_length=1)]]  # {axis: {arm: its options}}
Seed = Annotated[int, Field(ge=0, lt=2**63)]
CHOSEN = "best"  # in `rows`, the arms that the key `best` names


class TestSet(Section):
    """Pictures to score on: folders as for test.py; none is the config's composed test set."""

    image: File | None = None
    alpha: File | None = None
    trimap: File | None = None
    set: File | None = None  # a test set as it is distributed, in place of the three

    @model_validator(mode="after")
    def _whole(self) -> "TestSet":
        folders = [self.image, self.alpha, self.trimap]
        if any(folders) and (self.set or not all(folders)):
            raise ValueError("image: goes with alpha and trimap, and without set")
        return self


class PublishedRow(Section):
    """Values of a paper; what it does not tell is left out."""

    SAD: Weight | None = None
    MSE: Weight | None = None
    Grad: Weight | None = None
    Conn: Weight | None = None
    parameters: Weight | None = None
    MACs: Weight | None = None  # at 224 x 224


class Published(Section):
    of: Name  # the data set; where it is the table's own, plots show the values, too
    source: Name = "the paper"  # the paper, and which of its tables
    rows: dict[Name, PublishedRow] = Field({})  # by the name of a row: its arms, "UNI / none"


class TableConfig(Section):
    config: File  # what all rows share: a config, seen from the table's folder
    options: Options = Field({})  # what all rows share beside it
    teachers: Annotated[dict[Arm, Options], Field(min_length=1)] = Field({"teacher": {}})
    # Axes of the pruning stage and of the training stage; a row takes one arm of each. Without a
    # pruning stage, train.py trains a network of fixed width.
    pruning: Axes = Field({})
    training: Axes = Field({})
    # Which arms go together, {axis: arms}; an axis that is left out gives all of its arms.
    rows: Annotated[tuple[dict[Arm, tuple[Arm, ...]], ...], Field(min_length=1)] = ({},)
    best: dict[Arm, Arm] = Field({})  # {axis: arm}, which rows call `best`
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)] = (0, 1, 2)
    tests: Annotated[dict[Arm, TestSet], Field(min_length=1)] = Field({"composed": TestSet()})
    keep_mattes: bool = False  # of the tests; for figure.py
    published: Published | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "TableConfig":
        for axis in self.pruning:
            if axis in self.training:
                raise ValueError(f"training: {axis} is an axis of pruning, too; rename one")
        if "teacher" in {**self.pruning, **self.training} and len(self.teachers) > 1:
            raise ValueError("teachers: their axis is called teacher; rename the other one")
        for seed in self.seeds:
            if self.seeds.count(seed) > 1:
                raise ValueError(f"seeds: {seed} stands twice; leave one out")
        return self

    @property
    def axes(self) -> dict[str, dict[str, Options]]:
        """Those of the teachers, where there are several, of the pruning and of the training."""
        several = {"teacher": self.teachers} if len(self.teachers) > 1 else {}
        return several | self.pruning | self.training


class SlurmOptions(Section):
    """What each row asks Slurm for: `--slurm partition=gpu,gpus=1,hours=4`."""

    partition: Name | None = None
    account: Name | None = None
    qos: Name | None = None
    constraint: Name | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    cpus: Annotated[int, Field(ge=1)] | None = None
    memory: Positive | None = None  # GB
    hours: Positive = 4.0  # after which a row goes back into the queue, and then goes on
