"""The config takes what it knows and refuses the rest in one line that names the culprit."""

import argparse
from pathlib import Path
from typing import get_args

import pytest

from models.errors import InputError
from utils.cli.arguments import CONFIGS, spkd_flags
from utils.config import load
from utils.config.options import Config, Ungated
from utils.images.trimap import LARGEST_RADIUS
from utils.prune import CRITERIA


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(path: Path | None, *overrides: str) -> str:
    """The message of the refusal, which is one line."""
    with pytest.raises(InputError) as error:
        load(path, overrides)
    message = str(error.value)
    assert len(message.splitlines()) == 1 and message == message.strip()
    return message


def test_without_a_file_and_from_an_empty_one_all_is_default(tmp_path):
    assert load(None) == Config() == load(write(tmp_path, "# nothing\n"))


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_every_config_of_the_repository_loads(file):
    config = load(file)
    for script in ("train", "train_prune", "train_pruned"):
        assert config.loop(script).epochs >= 1


def test_an_unknown_key_names_file_key_likely_meaning_and_what_is_allowed(tmp_path):
    file = write(tmp_path, "train:\n  batch_sise: 4\n")
    message = refusal(file)
    assert message.startswith(f"{file}: train.batch_sise: unknown key; did you mean batch_size? ")
    assert "allowed here: epochs, batch_size, optimizer," in message
    assert "did you mean train.batch_size?" in refusal(write(tmp_path, "batch_size: 4"))
    told = refusal(file, "seed=2", "train.lrate=1")
    assert told.startswith("'train.lrate=1': unknown key; did you mean lr?")
    assert ": zzz: unknown key; allowed here: save_dir, " in refusal(write(tmp_path, "zzz: 1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {epochs: 2.5}", "train.epochs: input should be a valid integer, not 2.5"),
        ("train: {lr: yes}", "train.lr: input should be a valid number, not True"),
        ("augment: {flip: 1}", "augment.flip: input should be a valid boolean, not 1"),
        ("save_dir: 3", "save_dir: input should be a valid string, not 3"),
        ("data: {crop_scales: 2}", "data.crop_scales: input should be a valid list, not 2"),
        ("seed: 010", "seed: input should be a valid integer, not '010'"),
    ],
)
def test_a_wrong_type_names_file_key_and_value(tmp_path, text, words):
    file = write(tmp_path, text)
    assert refusal(file).startswith(f"{file}: {words}")


def test_a_budget_needs_no_rate():
    assert load(None, ["prune.budget.macs=0.5"]).prune.budget.side == 224
    assert load(None, ["prune.rate=null", "prune.budget.milliseconds=9"]).prune.budget.side == 320


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ties: max_count, criterion: taylor}", "ties: max_count counts gates, and criterion=tay"),
        ("{criterion: ns, steps: 2}", "steps: needs a criterion without a training: magnitude, t"),
        ("{candidates: [0.2], min_share: 0.1}", "candidates: are values of min_share to choose fr"),
        ("{criterion: uni, per_cost: macs}", "per_cost: only ranks; leave out ties=max_co"),
    ],
)
def test_what_a_criterion_cannot_do_is_refused(tmp_path, text, words):
    assert words in refusal(write(tmp_path, f"prune: {text}"))


def test_a_config_has_every_criterion_without_gates():
    assert set(get_args(Ungated)) == CRITERIA.keys()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs=0", "greater than or equal to 1"),
        ("train.lr=nan", "a finite number"),
        ("train.schedule=linear", "'constant', 'step' or 'cosine', not 'linear'"),
        ("prune.budget.at=224", "a picture's side, which only macs"),
        ("prune.rate=null", "null needs a budget"),
        ("network.name=unet", "no such network; there are dim, "),
        ("network.structure.gates=true", "gates is nothing to choose; leave it out"),
        ("network.convolutions=[2,2,3,3]", "unknown key; allowed here: name, width, structure"),
        ("data.crop_scales=[1, 0]", "greater than 0, not 0"),
        (f"data.trimap_radius=[1, {LARGEST_RADIUS + 1}]", "less than or equal to 254, not 255"),
        ("data.trimap_radius=[5, 2]", "the smaller one first"),
        ("augment.hide_fused=0.5", "does nothing without fuse"),
        ("augment.triplets=true", "set fuse=1 and fuse_exact=true"),
        ("distill.types=[spatial, foo]", "'fsp', 'ofd' or 'cwd', not 'foo'"),
        ("distill.types=[spatial, spatial]", "spatial stands twice"),
        ("distill.stages=[]", "too few"),
        ("distill.weights=[1]", "1 for 2 types"),
        ("save_dir=", "at least 1 character"),
        ("train=3", "a section holds keys; allowed here: epochs, "),
        ("train.lr=1:30", "a valid number, not '1:30'"),
        ("network.structure.classes={", "no valid YAML"),
        ("train.lr", "is no override; write section.key=value"),
        ("--lr=3", "unknown key"),
    ],
)
def test_an_impossible_override_is_quoted_with_what_is_allowed(tmp_path, override, words):
    message = refusal(write(tmp_path, "seed: 1"), override)
    assert message.startswith(repr(override)) and words in message


def test_overrides_win_over_the_file_and_later_ones_over_earlier_ones(tmp_path):
    file = write(tmp_path, "seed: 1\ntrain: {lr: 0.5, epochs: 7}\n")
    config = load(file, ["train.lr=0.25", "seed=2", "seed=3", "prune.rate=0.1"])
    assert (config.seed, config.train.lr, config.train.epochs) == (3, 0.25, 7)
    assert config.prune.rate == 0.1 and config.train.batch_size == Config().train.batch_size


def test_of_two_overrides_of_a_key_the_one_that_counts_is_blamed(tmp_path):
    assert refusal(None, "train.lr=1", "train.lr=-1").startswith("'train.lr=-1'")
    file = write(tmp_path, "train: {lr: -1}")
    assert load(file, ["train.lr=1"]).train.lr == 1
    assert refusal(file, "train.epochs=1").startswith(f"{file}: train.lr: ")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("prune.ties=max_count prune.weights=inherit", "inherit needs ties=joint"),
        ("prune.ties=max_count prune.criterion=uni", "max_count counts gates, and criterion"),
        ("prune.rate=0.5 prune.budget.macs=0.5", "budget.macs decides instead"),
        ("prune.budget.macs=0.5 prune.budget.parameters=0.5", "parameters is given already"),
        ("augment.linear_light=0.5 loss.composition=1", "takes composites for sums of their col"),
        ("network.start=x.tar network.width=0.5", "brings its own width and weights"),
    ],
)
def test_options_that_exclude_each_other_are_refused(overrides, words):
    assert words in refusal(None, *overrides.split())


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path):
    file = write(tmp_path, "train:\n  lr: 1\n  epochs: 2\n  lr: 2\n")
    message = refusal(file)
    assert message.startswith(f"{file}: no valid YAML (lr stands twice") and "line 4" in message


@pytest.mark.parametrize("number", ["1e-5", "1.e-5", "+1e-5", "0.00001"])
def test_exponents_are_numbers(tmp_path, number):
    file = write(tmp_path, f"prune: {{sparsity: {number}}}")
    assert load(file).prune.sparsity == pytest.approx(1e-5)
    assert load(None, [f"prune.sparsity={number}"]).prune.sparsity == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("save_dir=run #1", "run #1"),
        ("save_dir=0x1f", "0x1f"),
        ("data.dataset=646", "646"),
        ("teacher=None", None),
        ("teacher=", None),
        ("device=0", "0"),
        ("seed=010", 10),
        ("train.clip=None", None),
        ("train.clip=1", 1.0),
        ("train.betas=0.5,0.999", (0.5, 0.999)),
        ("train.betas=[0.5, 0.999]", (0.5, 0.999)),
        ("train.frozen=", ()),
        ("train.freeze_norms=True", True),
        ("distill.types=at", ("at",)),
        ("distill.types=['at', \"nst\"]", ("at", "nst")),
        ("prune.budget.macs=0.5", 0.5),
        ("network.structure.convolutions=[1, 2]", (1, 2)),
    ],
)
def test_an_override_means_what_was_typed(override, value):
    keys = override.partition("=")[0].split(".")
    config = load(None, [override, *(["prune.rate=null"] if "budget" in override else [])])
    for key in keys:
        config = config[key] if isinstance(config, dict) else getattr(config, key)
    assert config == value and type(config) is type(value)


def test_home_is_expanded_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load(write(tmp_path, "data: {root: ~/sets}"), ["teacher=~/a.tar"])
    assert (config.data.root, config.teacher) == (f"{tmp_path}/sets", f"{tmp_path}/a.tar")


def test_sections_can_be_merged(tmp_path):
    text = "train: &loop {lr: 0.5, epochs: 3}\ntrain_prune: {<<: *loop, epochs: 1}\n"
    config = load(write(tmp_path, text))
    assert (config.train_prune.lr, config.train_prune.epochs) == (0.5, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b: c", "no valid YAML (mapping values are not allowed here"),
        ("seed: 1\n---\nseed: 2", "no valid YAML"),
        ("\x00", "no valid YAML"),
        ("x: !!python/object/apply:os.getcwd []", "no valid YAML"),
        ("- seed", "a config is a list of 'key: value' lines"),
        ("1: 2", "1: keys should be strings"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path, text, words):
    file = write(tmp_path, text)
    assert refusal(file).startswith(f"{file}: {words}")


def test_a_file_that_is_missing_a_folder_or_no_text_is_named(tmp_path):
    assert refusal(tmp_path / "none.yaml").startswith(f"{tmp_path / 'none.yaml'}: no such config")
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be read")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfd\xfc")
    assert refusal(tmp_path / "bytes.yaml").startswith(f"{tmp_path / 'bytes.yaml'}: no valid YAML")


def test_the_scripts_sections_override_only_what_they_set(tmp_path):
    text = (
        "train: {epochs: 9, lr: 0.5, schedule: cosine}\n"
        "train_prune: {epochs: 2, schedule: constant}\n"
    )
    config = load(write(tmp_path, text), ["train_pruned.lr=0.1"])
    train, prune, pruned = (config.loop(s) for s in ("train", "train_prune", "train_pruned"))
    assert train == config.train
    assert prune == train.model_copy(update={"epochs": 2, "schedule": "constant"})
    assert pruned == train.model_copy(update={"lr": 0.1})


def flags(*given: str) -> list[str]:
    parser = argparse.ArgumentParser()
    for flag in ("--batch-size", "--KD_type", "--feature_layer", "--KD_weight"):
        parser.add_argument(flag)
    return spkd_flags(parser.parse_args(given))


def test_the_flags_of_spkd_mean_our_keys():
    given = flags(
        *("--batch-size", "16", "--KD_type", "spatial,channel"),
        *("--feature_layer", "[1,2,3,4]", "--KD_weight", "[1,1]"),
    )
    config = load(None, given)
    assert config.train.batch_size == 16
    assert config.distill.types == ("spatial", "channel")
    assert config.distill.stages == ("encoder2", "encoder3", "encoder4", "encoder5")
    assert config.distill.weights == (1, 1)
    assert flags() == []
    assert load(None, flags("--KD_type", "batch", "--feature_layer", "0")).distill.stages == (
        "encoder1",
    )


@pytest.mark.parametrize("given", ["hinton", "[ hinton ]"])
def test_hinton_is_the_teachers_matte_alone(given):
    loss = load(None, flags("--KD_type", given)).loss
    assert (loss.alpha, loss.alpha_teacher, loss.kd) == (1, 1, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--batch-size", "many"), "'train.batch_size=many'"),
        (("--KD_type", "spacial"), "'distill.types=[spacial]': input should be 'spatial'"),
        (("--feature_layer", "[1;2]"), "--feature_layer '[1;2]': write [1,2,3,4]"),
        (("--KD_type", "hinton,spatial"), "--KD_type hinton,spatial: the teacher's matte"),
        (("--KD_type", "hinton", "--KD_weight", "[2]"), "--KD_weight: hinton compares no stages"),
        (("--KD_type", "fsp", "--feature_layer", "[3]"), "fsp compares neighbouring stages"),
        (("--KD_weight", "[1]"), "'distill.weights=[1]': 1 for 2 types"),
        (("--KD_type", ""), "--KD_type '': write spatial,channel"),
    ],
)
def test_bad_flags_end_in_one_line(given, words):
    with pytest.raises(InputError) as error:
        load(None, flags(*given))
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1
