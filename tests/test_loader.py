"""Batches and loaders: every order can be repeated, from any place, with any number of workers."""

from pathlib import Path

import pytest
import torch

from models.errors import InputError
from tests.sets import write_set
from utils import config as configs
from utils.data.loader import Batches, training_loader, validation_loader
from utils.data.split import write_split
from utils.options import Config


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = write_set(tmp_path_factory.mktemp("data") / "tiny", test=0)
    write_split(root, 0.25, seed=0)
    return root


def options(root: Path, *overrides: str) -> Config:
    return configs.load(
        None,
        [
            f"data.root={root.parent}",
            f"data.dataset={root.name}",
            "data.crop=32",
            "data.backgrounds_per_foreground=4",
            "data.valid_backgrounds=2",
            "data.workers=0",
            *overrides,
        ],
    )


def same(ours: list, theirs: list) -> bool:
    return len(ours) == len(theirs) and all(
        a.equal(b)
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_every_epoch_visits_each_sample_at_most_once_and_drops_what_fills_no_batch():
    batches = Batches(23, 5, epochs=3, seed=0)
    found = list(batches)
    assert len(batches) == len(found) == 12 and batches.per_epoch == 4
    for epoch in range(3):
        keys = [key for batch in found[4 * epoch : 4 * epoch + 4] for key in batch]
        assert {key[0] for key in keys} == {epoch}
        indices = [index for _, index in keys]
        assert len(set(indices)) == len(indices) == 20
        assert set(indices) < set(range(23))


def test_orders_differ_between_epochs_and_seeds_and_can_be_repeated():
    def order(seed: int) -> list[list[int]]:
        found = list(Batches(24, 24, epochs=4, seed=seed))
        return [[index for _, index in batch] for batch in found]

    orders = order(0) + order(1)
    assert len({tuple(one) for one in orders}) == 8
    assert order(0) == orders[:4]
    assert all(sorted(one) == list(range(24)) for one in orders)


@pytest.mark.parametrize("start", [0, 1, 3, 4, 5, 8, 11, 12, 13])
def test_beginning_at_a_batch_gives_the_tail_of_the_whole(start):
    whole = list(Batches(23, 5, epochs=3, seed=7))
    tail = Batches(23, 5, epochs=3, seed=7)
    tail.start = start
    assert list(tail) == whole[start:]
    assert len(tail) == len(whole[start:])


def test_workers_change_nothing(data):
    loaders = [
        training_loader(options(data, f"data.workers={count}"), 5, epochs=2, pin=False)
        for count in (0, 2)
    ]
    ours, theirs = (list(loader) for loader in loaders)
    assert len(ours) == len(loaders[0]) == 4
    assert same(ours, theirs)
    assert ours[0].image.shape == (5, 3, 32, 32)
    assert ours[0].trimap.shape == ours[0].alpha.shape == (5, 1, 32, 32)
    assert all(part.dtype == torch.uint8 for part in ours[0])


def test_a_loader_goes_on_where_it_is_told_to(data):
    whole = list(training_loader(options(data), 5, epochs=2, pin=False))
    rest = training_loader(options(data), 5, epochs=2, pin=False)
    rest.batch_sampler.start = 3
    assert same(list(rest), whole[3:])


def test_the_seed_decides_the_samples(data):
    one, other = (
        list(training_loader(options(data, f"seed={seed}"), 12, epochs=1, pin=False))
        for seed in (0, 1)
    )
    assert not same(one, other)


def test_validation_gives_the_same_crops_each_time_and_all_of_them(data):
    first, second = (validation_loader(options(data), 3, pin=False) for _ in range(2))
    wanted = list(first)
    assert sum(len(batch.image) for batch in wanted) == 2
    assert same(list(first), wanted) and same(list(second), wanted)


def test_validation_neither_flips_nor_recolours(data):
    plain = options(data, "data.flip=false", "data.jitter=0")
    both = (validation_loader(config, 3, pin=False) for config in (plain, options(data)))
    assert same(*map(list, both))


def test_loaders_leave_pytorchs_generator_as_it_is(data):
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    list(training_loader(options(data), 5, epochs=1, pin=False))
    list(validation_loader(options(data), 5, pin=False))
    assert torch.rand(1) == wanted


def test_fewer_samples_than_a_batch_are_refused(data):
    with pytest.raises(InputError, match=r"train\.batch_size: 13 is more than the 12 samples"):
        training_loader(options(data), 13, epochs=1, pin=False)
    assert len(list(training_loader(options(data), 12, epochs=1, pin=False))) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_picture_ends_in_one_line_and_no_worker_stays(tmp_path, workers):
    root = write_set(tmp_path / "bad", train=2, test=0)
    write_split(root, 0.5, seed=0)
    for file in (root / "train" / "bg").iterdir():
        file.write_bytes(b"no picture")
    loader = training_loader(options(root, f"data.workers={workers}"), 1, epochs=1, pin=False)
    with pytest.raises(InputError) as error:
        list(loader)
    message = str(error.value)
    assert message.startswith(str(root / "train" / "bg")) and len(message.splitlines()) == 1
    assert not torch.multiprocessing.active_children()
