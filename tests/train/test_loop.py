"""The loop: an interruption changes nothing, bad losses stop it, only what should train does."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from models.errors import InputError
from models.files import saving as files
from tests.refusals import refused
from tests.trainings import same, tiny_config, tiny_network, tiny_training
from utils.config.options import Config
from utils.prune import Sparsity
from utils.tasks.matting import MattingBatch, alpha_loss
from utils.train.objective import Objective


def test_a_training_leaves_the_last_and_the_best_and_fills_the_board(data, tmp_path):
    config = tiny_config(data)
    training = tiny_training(config, tmp_path, teacher_seed=5)
    training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit()
    last, best = (files.read(path)["training"] for path in (training.last, training.best))
    assert last["step"] == 2 * 4 and last["best"] == best["scores"]["alpha"]
    again = Config.model_validate(last["config"])
    assert again == training.config and again.loop("train_prune") == config.loop("train_prune")
    assert same(models.load(training.last), training.network)
    events = EventAccumulator(str(tmp_path / "board" / "train")).Reload()
    tags = events.Tags()
    terms = ("alpha", "alpha_teacher", "spatial", "channel", "sparsity")
    others = {"rate/lr", "rate/samples_per_s", "valid/alpha", "valid/SAD", "width/encoder1.1"}
    assert {*(f"loss/{name}" for name in terms), *others} <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    gates = {"gates/encoder1.2/0", "gates/encoder1.2/1", "gates/encoder5.3/0"}
    assert gates <= set(tags["histograms"])
    samples = events.Images("samples")[0]  # image, trimap, truth and matte, two of each
    assert (samples.height, samples.width) == (28 + 2 * (240 + 6), 4 * (240 + 6))


class Breaking(Objective):
    """A weight becomes infinite, though every loss is finite, just when it should be saved."""

    def forward(self, *arguments):
        terms, alpha = super().forward(*arguments)
        self.network.decoder1.conv.weight.data[0] = float("inf")
        os.kill(os.getpid(), signal.SIGTERM)
        return terms, alpha


def test_weights_that_are_not_finite_are_not_saved(data, tmp_path):
    training = tiny_training(tiny_config(data), tmp_path, kind=Breaking)
    with pytest.raises(InputError, match="a weight is nan"):
        training.fit()
    assert not training.last.exists()


class Failing(Objective):
    def forward(self, *arguments):
        raise TypeError("a fault of ours")


def test_workers_end_with_any_error(data, tmp_path):
    training = tiny_training(tiny_config(data, "data.workers=1"), tmp_path, kind=Failing)
    with pytest.raises(TypeError, match="a fault of ours"):
        training.fit()
    # The exception, and with it every frame, is still alive here.
    assert not multiprocessing.active_children()


def test_the_teacher_stays_as_it_is_and_adapters_are_trained_but_not_saved_in_the_best(
    data, tmp_path
):
    config = tiny_config(data, "train.epochs=1", "train.precision=bfloat16")
    training = tiny_training(config, tmp_path, teacher_seed=5)
    teacher = training.objective._teacher[0]
    teacher_before = {k: v.clone() for k, v in teacher.state_dict().items()}
    adapters = training.objective.distillation
    adapters_before = {k: v.clone() for k, v in adapters.state_dict().items()}
    assert adapters_before, "widths differ, so there are adapters"
    training.fit()
    assert all(torch.equal(teacher.state_dict()[k], v) for k, v in teacher_before.items())
    after = adapters.state_dict()
    assert not any(torch.equal(after[k], v) for k, v in adapters_before.items())
    assert models.load(training.best).state_dict().keys() == training.network.state_dict().keys()


def test_the_teacher_goes_where_the_network_goes(data):
    student, teacher = tiny_network(), tiny_network(1)
    objective = Objective(student, tiny_config(data), teacher).to("meta", torch.float64)
    for one in objective._teacher:
        assert {(p.device.type, p.dtype) for p in one.parameters()} == {("meta", torch.float64)}
    assert not {*map(id, teacher.parameters())} & {*map(id, objective.parameters())}


def test_every_term_is_weighted(data):
    student, teacher = tiny_network().eval(), tiny_network(1).eval()
    batch = tiny_batch()

    def terms(*overrides: str) -> dict[str, float]:
        config = tiny_config(data, *overrides)
        found, _ = Objective(student, config, teacher)(batch)
        return {name: value.item() for name, value in found.items()}

    one = terms()
    assert list(one) == ["alpha", "alpha_teacher", "spatial", "channel"]
    two = terms("loss.alpha=2", "loss.alpha_teacher=3", "loss.kd=2", "distill.weights=[1,4]")
    factors = {"alpha": 2, "alpha_teacher": 3, "spatial": 2, "channel": 8}
    assert two == pytest.approx({name: factors[name] * value for name, value in one.items()})
    assert list(terms("loss.alpha_teacher=0", "loss.kd=0")) == ["alpha"]


@pytest.mark.parametrize(
    ("views", "flips"), [("mirror", ([], [3])), ("flips", ([], [2], [3], [2, 3]))]
)
@pytest.mark.parametrize("kd", [0, 1])
def test_a_teacher_teaches_its_mean_over_views_and_the_features_of_the_picture(
    data, views, flips, kd
):
    student, teacher = tiny_network().eval(), tiny_network(1).eval()
    batch = tiny_batch()
    batch = batch._replace(unknown=batch.alpha > 0.9)  # not as many on each side
    plain, viewed = (
        Objective(student, tiny_config(data, f"loss.kd={kd}", *more), teacher)(batch)[0]
        for more in ((), (f"distill.views={views}",))
    )
    output, *mattes = (
        network.forward_features(batch.image.flip(dims), batch.trimap.flip(dims))[0].flip(dims)
        for network, dims in ((student, []), *((teacher, dims) for dims in flips))
    )
    wanted = alpha_loss(output, sum(mattes) / len(flips), batch.unknown)
    found, before = (terms.pop("alpha_teacher").item() for terms in (viewed, plain))
    assert found == pytest.approx(wanted.item())
    assert found != pytest.approx(before, rel=1e-4)
    assert same(viewed, plain)


def test_views_of_a_teacher_whose_matte_weighs_nothing_are_refused(data):
    views = tiny_config(data, "distill.views=mirror", "loss.alpha_teacher=0")
    line = refused(Objective, tiny_network(), views, tiny_network(1))
    assert line.startswith("distill.views: mirror of a teacher whose output weighs nothing")
    assert Objective(tiny_network(), views).teacher is None  # that of the teacher itself


def test_the_target_is_the_unclamped_matte_whatever_the_terms(data):
    targets = []
    for overrides in ((), ("loss.kd=0",)):
        training = tiny_training(tiny_config(data, *overrides), Path("unused"), teacher_seed=5)
        _, teacher = training.objective._teacher  # folded
        teacher.compute = lambda image, trimap, stages, of=teacher.compute: (
            of(image, trimap, stages) + 2
        )
        terms, _ = training.objective(tiny_batch())
        targets.append(terms["alpha_teacher"].item())
    assert targets[0] == targets[1] > 1.2


def tiny_batch() -> MattingBatch:
    generator = torch.Generator().manual_seed(0)
    image, alpha = (torch.rand(2, c, 32, 32, generator=generator) for c in (3, 1))
    trimap = torch.full((2, 1, 32, 32), 0.5)
    return MattingBatch(image, trimap, alpha, trimap == 0.5, None, None)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("loss.alpha_teacher=0", "loss.kd=0"), []),
        (("loss.kd=0",), ["compute"]),
        (("loss.alpha_teacher=0",), [False, "compute"]),
        (("distill.types=[spatial,ofd]",), [True, "compute"]),
    ],
)
def test_the_teacher_computes_no_more_than_the_terms_read(data, monkeypatch, overrides, expected):
    """Whether it runs, and whether it pools the maps before its ReLUs, too."""
    training = tiny_training(tiny_config(data, *overrides), Path("unused"), teacher_seed=5)
    (_, teacher), seen = training.objective._teacher, []
    compute, features = teacher.compute, teacher.forward_features

    def forward_features(*batch, pre):
        seen.append(pre)
        return features(*batch, pre=pre)

    monkeypatch.setattr(teacher, "forward_features", forward_features)
    monkeypatch.setattr(teacher, "compute", lambda *a: seen.append("compute") or compute(*a))
    training.objective(tiny_batch())
    assert seen == expected
