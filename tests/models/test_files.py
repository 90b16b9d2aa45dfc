"""Network files: round trips, what a digest guards, and what is refused."""

import json
import random

import pytest
import safetensors.torch
import torch

import models
from models.errors import InputError
from models.files import saving as files
from models.files.saving import digest
from models.network import Network
from tests.refusals import refused

NAMES = ["network.tar", "network.safetensors"]
by_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    structure = {"convolutions": [1, 2, 1, 1, 2]}
    return models.build("dim", models.scaled_plan("dim", 1 / 32, **structure), **structure)


def same(a: Network, b: Network) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return (
        (a.name, a.plan, a.structure) == (b.name, b.plan, b.structure)
        and ours.keys() == theirs.keys()
        and all(torch.equal(ours[key], theirs[key]) for key in ours)
    )


@by_name
def test_a_saved_network_comes_back_whole_and_in_evaluation_mode(network, tmp_path, name):
    files.save_network(tmp_path / "new" / name, network)
    before = torch.get_rng_state()
    loaded = models.load(tmp_path / "new" / name)
    assert same(network, loaded) and not loaded.training
    assert torch.equal(torch.get_rng_state(), before)
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


@by_name
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(network, tmp_path, name, share):
    path = tmp_path / name
    files.save_network(path, network)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert f"{name}: truncated" in refused(models.load, path)


def test_what_is_no_checkpoint_is_named(tmp_path):
    assert "none.tar: no such checkpoint" in refused(models.load, tmp_path / "none.tar")
    assert "is a folder; name a checkpoint in it" in refused(models.load, tmp_path)
    for content, words in (
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "truncated, or no checkpoint"),
        (b"\n<html>", "a web page, no checkpoint; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS, no checkpoint"),
    ):
        for name in NAMES:
            (tmp_path / name).write_bytes(content)
            assert f"{name}: {words}" in refused(models.load, tmp_path / name)


def test_a_file_is_read_by_its_content_whatever_its_name(network, tmp_path):
    for name, other in (NAMES, NAMES[::-1]):
        files.save_network(tmp_path / name, network)
        (tmp_path / name).rename(tmp_path / other)
        assert same(models.load(tmp_path / other), network)


@by_name
def test_half_a_file_holds_the_same_network_in_float16(network, tmp_path, name):
    files.save_network(tmp_path / f"whole_{name}", network)
    files.save_network(tmp_path / name, network, half=True)
    sizes = [(tmp_path / file).stat().st_size for file in (name, f"whole_{name}")]
    assert sizes[0] < 0.7 * sizes[1]
    again = models.load(tmp_path / name)
    for key, value in network.state_dict().items():
        kept = again.state_dict()[key]
        assert kept.dtype == value.dtype
        assert torch.equal(kept, value.half().to(value) if value.is_floating_point() else value)
    network.decoder2.conv.weight.data[0, 0] = 1e5
    line = refused(files.save_network, tmp_path / name, network, half=True)
    assert "decoder2.conv.weight is not finite" in line and "float32" in line


@by_name
@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(network, tmp_path, name, value):
    files.save_network(tmp_path / name, network)
    with torch.no_grad():
        network.decoder2.norm.running_var[-1] = value
    words = r"decoder2\.norm\.running_var is not finite"
    old = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match=rf"{name}: {words}"):
        files.save_network(tmp_path / name, network)
    assert (tmp_path / name).read_bytes() == old
    with pytest.raises(InputError, match=rf"{name}: .*{words}"):
        files.restore(files.record(network), tmp_path / name)


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        ({"plan": {"encoder1.1": 7}}, "encoder1.units.0.conv.weight is (2, 4, 3, 3), not (7, 4,"),
        ({"name": "unet"}, "no network named 'unet'; there are dim"),
        ({"weights": {}}, "'encoder1.units.0.conv.weight' is missing"),
    ],
    ids=str,
)
def test_a_record_that_does_not_fit_is_refused_with_the_file_name(network, strange, words):
    line = refused(files.restore, files.record(network) | strange, "a.tar")
    assert line.startswith("a.tar: its weights do not fit its own description (") and words in line
    assert line.endswith("); copy or train it again")


# --- the digest -----------------------------------------------------------------------------------


@by_name
def test_no_flipped_bit_loads_as_another_network(network, tmp_path, name):
    path = tmp_path / name
    files.save_network(path, network)
    data = path.read_bytes()
    chance, loaded = random.Random(name), 0
    for _ in range(60):
        place = chance.randrange(8 * len(data))
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = models.load(path)
        except InputError as error:
            assert name in str(error) and "\n" not in str(error)
        else:
            assert same(found, network)
            loaded += 1
    assert loaded < 30  # in what lies between the parts


def test_no_bit_of_the_description_in_a_safetensors_file_may_flip(network, tmp_path):
    path = tmp_path / "a.safetensors"
    files.save_network(path, network)
    data = path.read_bytes()
    first, last = data.index(b"__metadata__"), data.index(b"data_offsets")
    for place in random.Random(0).sample(range(8 * first, 8 * last), 200):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.safetensors: (truncated|damaged)"):
            models.load(path)


@pytest.mark.parametrize("place", ["name", "plan", "structure", "weights", "training"])
def test_each_part_of_a_file_is_guarded(network, tmp_path, place):
    state = {"step": 3, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}}
    state["random_state"] = torch.get_rng_state()
    content = files.record(network) | {"training": state}
    files.save(tmp_path / "a.tar", content)
    assert files.read(tmp_path / "a.tar")["training"]["step"] == 3
    noted = torch.load(tmp_path / "a.tar")["digest"]
    changed = {
        "name": "mobile_unet",
        "plan": network.plan | {"encoder1.1": 3},
        "structure": {"convolutions": [1, 2, 1, 1, 3]},
        "weights": {**content["weights"], "decoder1.conv.bias": torch.full((1,), 0.25)},
        "training": {**state, "optimizer": {"state": {0: {"exp_avg": torch.tensor([0.0, 1e-9])}}}},
    }
    torch.save(content | {place: changed[place], "digest": noted}, tmp_path / "a.tar")
    with pytest.raises(InputError, match=r"a\.tar: damaged, it is not what was saved"):
        files.read(tmp_path / "a.tar")


@by_name
def test_a_file_cannot_lose_its_digest(network, tmp_path, name):
    files.save_network(tmp_path / name, network)
    if name == "network.tar":
        content = torch.load(tmp_path / name)
        content["eigest"] = content.pop("digest")
        torch.save(content, tmp_path / name)
    else:
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data.replace(b"digest", b"eigest"))
    assert f"{name}: damaged" in refused(models.load, tmp_path / name)


@by_name
def test_a_file_of_an_earlier_version_loads_with_a_warning(network, tmp_path, name, caplog):
    content = files.record(network) | {"kind": "matting-prune"}
    if name == "network.tar":
        torch.save(content, tmp_path / name)
    else:
        weights = content.pop("weights")
        metadata = {key: json.dumps(value) for key, value in content.items()}
        safetensors.torch.save_file(weights, tmp_path / name, metadata)
    assert same(models.load(tmp_path / name), network)
    (line,) = caplog.messages
    assert f"{name}: of an earlier version, without a digest" in line
    caplog.clear()
    files.save_network(tmp_path / name, network)
    models.load(tmp_path / name)
    assert not caplog.messages


def test_a_network_has_one_fingerprint_whatever_it_was_kept_in(network, tmp_path):
    found = {files.fingerprint(network)}
    for name in NAMES:
        files.save_network(tmp_path / name, network)
        found.add(files.fingerprint(models.load(tmp_path / name)))
    found.add(files.fingerprint(network.to(memory_format=torch.channels_last)))
    assert len(found) == 1


DIFFERENT = [
    *(None, True, False, 0, 1, 0.0, -0.0, 1.0, 1e-300, "", "1", "None", b"1", [], [1], [[1]]),
    *([1, 2], [2, 1], ["12"], ["1", "2"], {}, {"a": 1}, {"b": 1}, {"a": {"b": 1}}, {1: "a"}),
    *(torch.zeros(0), torch.zeros(1), torch.zeros(()), torch.zeros(1, 1), torch.zeros(1).half()),
    *(torch.zeros(1).bfloat16(), torch.zeros(1).int(), torch.tensor([-0.0])),
    *(torch.zeros(1, dtype=torch.bool), torch.arange(6.0), torch.arange(6.0).view(2, 3)),
    *(torch.arange(6.0).view(3, 2), torch.arange(6.0).view(2, 3).flip(0)),
]


def test_different_contents_have_different_digests():
    assert len({digest(content) for content in DIFFERENT}) == len(DIFFERENT)
    assert "it holds a set" in refused(digest, {"a": {1}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (torch.arange(6.0).view(2, 3), torch.arange(6.0).view(2, 3).t().contiguous().t()),
        (torch.arange(6.0)[::2], torch.tensor([0.0, 2.0, 4.0])),
        (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
    ],
    ids=["tuple", "order", "layout", "part", "parameter"],
)
def test_equal_contents_share_it(one, other):
    assert digest(one) == digest(other)
