"""Batches and loaders: every order can be repeated, from any place, with any number of workers."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from tests.refusals import refused
from tests.sets import picture, prepare, write_set
from tests.trainings import tiny_config
from utils import distributed
from utils.data import loader as loader_module
from utils.data.crops.crop_set import Sources
from utils.data.folders import foregrounds
from utils.data.loader import Batches, training_loader, validation_loader
from utils.data.split import read_split, write_split
from utils.images.writing import write_image


def sources(root: Path, *overrides: str) -> Sources:
    return Sources(tiny_config(root, *overrides))


def same(ours: list, theirs: list) -> bool:
    return len(ours) == len(theirs) and all(
        a.equal(b)
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one[:3], other[:3], strict=True)
    )


@pytest.mark.parametrize(("size", "members"), [(5, 1), (6, 3)])
def test_every_epoch_visits_each_sample_at_most_once_in_an_order_of_its_own(size, members):
    count = 23 * members
    batches = Batches(count, size, epochs=3, seed=0, members=members)
    drawn, each = list(batches), 23 // size  # triplets make no epoch longer
    assert len(batches) == len(drawn) == 3 * each and batches.per_epoch == each
    orders = set()
    for epoch in range(3):
        keys = [key for batch in drawn[each * epoch : each * (epoch + 1)] for key in batch]
        assert {key[0] for key in keys} == {epoch}
        indices = [index for _, index in keys]
        assert len(set(indices)) == each * size and set(indices) < set(range(count))
        triplets = zip(*(indices[member::members] for member in range(members)), strict=True)
        assert all(t == (*range(t[0], t[0] + members),) and t[0] % members == 0 for t in triplets)
        orders.add(tuple(indices))
    assert len(orders) == 3
    assert list(Batches(count, size, epochs=3, seed=0, members=members)) == drawn
    assert list(Batches(count, size, epochs=3, seed=1, members=members)) != drawn


@pytest.mark.parametrize(("size", "members"), [(5, 1), (6, 3)])
def test_beginning_at_a_batch_gives_the_tail_of_the_whole(size, members):
    whole = list(Batches(23 * members, size, epochs=3, seed=7, members=members))
    tail = Batches(23 * members, size, epochs=3, seed=7, members=members)
    for start in range(14):  # one more than there are
        tail.start = start
        assert list(tail) == whole[start:] and len(tail) == len(whole[start:])


def test_workers_change_nothing(data):
    loaders = [
        training_loader(sources(data, f"data.workers={count}"), 5, epochs=2, pin=False)
        for count in (0, 2)
    ]
    ours, theirs = (list(loader) for loader in loaders)
    assert len(ours) == len(loaders[0]) == 4
    assert same(ours, theirs)
    assert ours[0].image.shape == (5, 3, 32, 32)
    assert ours[0].trimap.shape == ours[0].alpha.shape == (5, 1, 32, 32)
    assert all(part.dtype == torch.uint8 for part in ours[0][:3])


@pytest.mark.parametrize(("workers", "term"), [(0, "coarse_composition"), (1, "composition")])
def test_a_composition_loss_makes_training_samples_carry_their_layers(data, workers, term):
    config = sources(data, f"loss.{term}=1", f"data.workers={workers}")
    (batch, *_) = training_loader(config, 5, epochs=1, pin=False)
    assert batch.foreground.shape == batch.background.shape == (5, 3, 32, 32)
    (batch, *_) = validation_loader(config, 3, pin=False)
    assert batch.foreground is None and batch.background is None


def test_validation_gives_the_same_crops_each_time_neither_flipped_nor_recoloured(data):
    plain = sources(data, "augment.flip=false", "augment.jitter=0")
    first, second = (validation_loader(one, 3, pin=False) for one in (sources(data), plain))
    wanted = list(first)
    assert sum(len(batch.image) for batch in wanted) == 2
    assert same(list(first), wanted) and same(list(second), wanted)


def test_loaders_leave_pytorchs_generator_as_it_is(data):
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    list(training_loader(sources(data), 5, epochs=1, pin=False))
    list(validation_loader(sources(data), 5, pin=False))
    assert torch.rand(1) == wanted


def test_batches_of_triplets_are_the_same_with_workers_and_in_shares_of_processes(
    data, monkeypatch
):
    options = ("augment.triplets=true", "augment.fuse=1", "augment.fuse_exact=true")

    def batches(*more: str) -> list:
        return list(training_loader(sources(data, *options, *more), 6, epochs=2, pin=False))

    whole = batches()
    assert len(whole) == 4 and same(batches("data.workers=2"), whole)
    shares = []
    monkeypatch.setattr(distributed, "size", lambda: 3)  # so that two of them share a triplet
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(batches())
    for batch, *parts in zip(whole, *shares, strict=True):
        assert torch.cat([part.image for part in parts]).equal(batch.image)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"4 holds no whole triplets .* such as 6"):
        training_loader(sources(data, *options), 4, epochs=1, pin=False)


def test_fewer_samples_than_a_batch_are_refused(data):
    with pytest.raises(InputError, match=r"train\.batch_size: 13 is more than the 12 samples"):
        training_loader(sources(data), 13, epochs=1, pin=False)
    assert len(list(training_loader(sources(data), 12, epochs=1, pin=False))) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_picture_among_few_ends_in_one_line_and_no_worker_stays(tmp_path, workers):
    root = prepare(write_set(tmp_path / "bad", train=2, test=0), 0.5)
    for file in (root / "train" / "bg").iterdir():
        file.write_bytes(b"no picture")
    loader = training_loader(sources(root, f"data.workers={workers}"), 1, epochs=1, pin=False)
    with pytest.raises(InputError) as error:
        list(loader)
    message = str(error.value)
    assert message.startswith(str(root / "train" / "bg")) and len(message.splitlines()) == 1
    assert not torch.multiprocessing.active_children()


def with_many_backgrounds(root: Path, count: int = 150) -> Path:
    """A prepared set whose backgrounds are so many that one bad one is less than 1 %."""
    write_set(root, test=0)
    for index in range(count):
        write_image(root / "train" / "bg" / f"b{index:03d}.png", picture(index, 20, 24))
    return prepare(root)


@pytest.mark.parametrize(("workers", "harm"), [(0, "vanished"), (2, "corrupt")])
def test_one_bad_background_among_many_is_named_once_and_replaced_and_two_are_an_error(
    tmp_path, caplog, workers, harm
):
    root = with_many_backgrounds(tmp_path / "many")
    config = tiny_config(root, f"data.workers={workers}", "data.backgrounds_per_foreground=200")
    loader, again = (training_loader(Sources(config), 5, epochs=1, pin=False) for _ in range(2))
    bad = root / "train" / "bg" / "b007.png"
    if harm == "corrupt":
        bad.write_bytes(bad.read_bytes()[:-20])
    else:
        bad.unlink()
    assert str(loader.failures) == ""
    batches = list(loader)
    assert len(batches) == loader.batch_sampler.per_epoch
    assert all(batch.image.shape == (5, 3, 32, 32) for batch in batches)
    told = [record.message for record in caplog.records]
    assert len(told) == 1 and told[0].startswith(f"left out: {bad}: ")
    assert str(loader.failures) == "1 of 158 pictures left out"
    (root / "train" / "bg" / "b008.png").unlink()  # more than one percent is an error
    with pytest.raises(InputError, match=r"b00\d\.png.*and 1 more of 158 pictures"):
        list(again)


def test_full_shared_memory_is_told_and_changes_no_batch(data, monkeypatch, caplog):
    wanted = list(training_loader(sources(data), 5, epochs=1, pin=False))

    def full(_):
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    found = list(training_loader(sources(data, "data.workers=2"), 5, epochs=1, pin=False))
    assert same(found, wanted) and len(found) == 2
    (told,) = [record.message for record in caplog.records]
    assert all(word in told for word in ("/dev/shm", "--shm-size", "data.workers"))


@pytest.mark.parametrize(
    "end",
    [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(1)],
    ids=["killed", "ended"],
)
def test_a_worker_that_ends_is_told_and_not_waited_for(data, monkeypatch, end):
    monkeypatch.setattr(loader_module, "_stacked", lambda parts: end() or torch.stack(parts))
    loader = training_loader(sources(data, "data.workers=1"), 5, epochs=1, pin=False)
    assert "data.workers: one ended or could not start" in refused(list, loader)


def test_workers_end_with_the_context_though_no_batch_was_asked_for(data):
    loader = training_loader(sources(data, "data.workers=1"), 5, epochs=1, pin=False)
    with loader.batches():
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


def test_a_stop_is_granted_while_waiting_for_a_batch(data, monkeypatch):
    go_on = multiprocessing.Event()
    monkeypatch.setattr(loader_module, "_stacked", lambda _: go_on.wait(60))
    loader = training_loader(sources(data, "data.workers=1"), 5, epochs=1, pin=False)
    stop: list[int] = []
    threading.Timer(0.1, stop.append, [1]).start()
    threading.Timer(0.5, go_on.set).start()  # or the worker would be waited for
    with loader.batches(stop) as batches:
        assert next(batches, None) is None


def with_flat_backgrounds(root: Path) -> Path:
    write_set(root, test=0)
    for index in range(9):
        flat = np.full((80, 90, 3), 10 * index, np.uint8)
        write_image(root / "train" / "bg" / f"train{index}.png", flat)
    return root


def test_unshuffled_backgrounds_are_the_published_ones(tmp_path):
    root = with_flat_backgrounds(tmp_path / "pairs")
    for name in ("fg", "alpha"):
        for path in (root / "train" / name).iterdir():
            write_image(path, np.zeros((40, 44) if name == "alpha" else (40, 44, 3), np.uint8))
    prepare(root)
    config = tiny_config(root, "data.shuffle_backgrounds=false", "augment.jitter=0")
    samples = Sources(config).samples("train")
    names = [one.name for one in foregrounds(root, "train")]
    kept = [name for name in names if name in read_split(root).train]
    wanted = [10 * ((4 * names.index(name) + k) % 9) for name in kept for k in range(4)]
    assert [int(samples[3, i].sample.image.max()) for i in range(len(samples))] == wanted


def test_a_split_by_composite_trains_and_validates_the_composites_it_lists(tmp_path):
    root = prepare(with_flat_backgrounds(tmp_path / "composites"))
    found = write_split(root, 0.25, seed=1, per_foreground=4)
    samples = sources(root).samples("train")
    assert len(samples) == sum(map(len, found.train.values())) == 12
    loader = validation_loader(sources(root), 16, pin=False)
    assert len(next(iter(loader)).image) == sum(len(ks[:2]) for ks in found.valid.values())
