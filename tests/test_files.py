"""Network files: round trips, what a digest guards, and what is refused."""

import json
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch

import models
from models.errors import InputError
from models.files import saving as files
from models.files.digest import digest
from models.network import Network

NAMES = ["network.tar", "network.safetensors"]


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


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_comes_back_whole_and_in_evaluation_mode(network, tmp_path, name):
    files.save_network(tmp_path / "new" / name, network)
    loaded = models.load(tmp_path / "new" / name)
    assert same(network, loaded) and not loaded.training
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(network, tmp_path, name, share):
    path = tmp_path / name
    files.save_network(path, network)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=f"{name}: truncated"):
        models.load(path)


def test_a_damaged_file_of_the_old_format_is_named(network, tmp_path):
    path = tmp_path / "a.tar"
    torch.save(files.record(network), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    key = str(network.decoder1.conv.weight.untyped_storage()._cdata).encode()
    assert data.count(key) >= 2
    path.write_bytes(data.replace(key, key[::-1], 1))
    with pytest.raises(InputError, match=r"a\.tar: truncated"):
        models.load(path)


@pytest.mark.parametrize("name", ["half.safetensors", "half.tar"])
def test_half_a_file_holds_the_same_network_in_float16(network, tmp_path, name):
    files.save_network(tmp_path / f"whole{name[4:]}", network)
    files.save_network(tmp_path / name, network, half=True)
    sizes = [(tmp_path / file).stat().st_size for file in (name, f"whole{name[4:]}")]
    assert sizes[0] < 0.7 * sizes[1]
    again = models.load(tmp_path / name)
    for key, value in network.state_dict().items():
        kept = again.state_dict()[key]
        assert kept.dtype == value.dtype
        assert torch.equal(kept, value.half().to(value) if value.is_floating_point() else value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tar: no such checkpoint"):
        models.load(tmp_path / "none.tar")


def write(path: Path, content: dict) -> Path:
    """A file with a digest of whatever its content is."""
    if path.suffix == ".tar":
        torch.save(content | {"digest": digest(content)}, path)
        return path
    rest = content | {"digest": digest(content)}
    weights = rest.pop("weights")
    metadata = {key: json.dumps(value) for key, value in rest.items()}
    path.write_bytes(safetensors.torch.save(weights, metadata))
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("strange", "words"),
    [
        ({"plan": [64, 64]}, "its plan is no dictionary"),
        ({"plan": 3}, "its plan is no dictionary"),
        ({"plan": None}, "its plan is no dictionary"),
        ({"plan": {"encoder1.1": 7}}, "encoder1.units.0.conv.weight is (2, 4, 3, 3), not (7, 4,"),
        ({"plan": {"encoder1.1": "7"}}, "the width of 'encoder1.1' is no whole number"),
        ({"plan": {"encoder1.1": True}}, "the width of 'encoder1.1' is no whole number"),
        ({"plan": {"encoder1.1": 2.0}}, "the width of 'encoder1.1' is no whole number"),
        ({"plan": {"encoder9.1": 2}}, "no group named 'encoder9.1'"),
        ({"structure": [1, 2]}, "its structure is no dictionary"),
        ({"structure": {"convolutions": 2}}, "convolutions is 2; give five whole"),
        ({"structure": {"convolutions": [[1]] * 5}}, "'convolutions' of its structure"),
        ({"structure": {"convolutions": {"1": 1}}}, "'convolutions' of its structure"),
        ({"structure": {"gates": 3}}, "gates is 3; give true or false"),
        ({"structure": {"plan": 3}}, "no such network can be made"),
        ({"structure": {"depth": 3}}, "no structure named 'depth'"),
        ({"name": ["dim"]}, "its name is no text"),
        ({"name": None}, "its name is no text"),
        ({"name": "unet"}, "no network named 'unet'; there are dim"),
        ({"weights": {}}, "'encoder1.units.0.conv.weight' is missing"),
    ],
    ids=str,
)
def test_a_malformed_description_is_refused_with_the_file_name(
    network, tmp_path, name, strange, words
):
    content = files.record(network) | strange
    with pytest.raises(InputError) as error:
        models.load(write(tmp_path / name, content))
    line = str(error.value)
    assert f"{name}: its weights do not fit its own description (" in line and words in line
    assert line.endswith("); copy or train it again") and "\n" not in line


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        ([1], "its weights is no dictionary"),
        ({1: torch.zeros(1)}, "its weights is no dictionary"),
        ({"mean": torch.zeros(1)}, "'mean' is none of its entries"),
        ({"decoder1.conv.bias": [0.0]}, "'decoder1.conv.bias' is no tensor"),
        ({"decoder1.conv.bias": torch.zeros(1, 1)}, "decoder1.conv.bias is (1, 1), not (1,)"),
        ({"decoder1.conv.bias": torch.zeros(1).int()}, "decoder1.conv.bias is torch.int32, not"),
        ({"decoder1.conv.bias": torch.zeros(1) * 1j}, "decoder1.conv.bias is torch.complex64"),
        ({"decoder1.norm.num_batches_tracked": torch.zeros(0)}, "num_batches_tracked is (0,)"),
    ],
    ids=str,
)
def test_malformed_weights_are_refused_by_their_entry(network, tmp_path, strange, words):
    content = files.record(network)
    named = isinstance(strange, dict) and 1 not in strange
    content["weights"] = content["weights"] | strange if named else strange
    with pytest.raises(InputError) as error:
        models.load(write(tmp_path / "a.tar", content))
    assert "a.tar: its weights do not fit" in str(error.value) and words in str(error.value)


@pytest.mark.parametrize("missing", ["name", "plan", "structure", "weights"])
def test_a_record_without_a_part_is_refused(network, tmp_path, missing):
    content = files.record(network)
    del content[missing]
    write(tmp_path / "a.tar", content)
    for read in (models.load, files.read):
        with pytest.raises(InputError, match=rf"a\.tar: its weights .*its {missing} is no"):
            read(tmp_path / "a.tar")


def test_a_training_that_is_no_dictionary_is_refused(network, tmp_path):
    write(tmp_path / "a.tar", files.record(network) | {"training": [1]})
    with pytest.raises(InputError, match=r"a\.tar: damaged"):
        files.read(tmp_path / "a.tar")


# --- the digest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cannot_lose_its_digest(network, tmp_path, name):
    files.save_network(tmp_path / name, network)
    data = (tmp_path / name).read_bytes()
    assert data.count(b"digest") == 1
    broken = data.replace(b"digest", b"eigest")
    if name == "network.tar":  # its sum in the archive would tell, too
        content = torch.load(tmp_path / name)
        content["eigest"] = content.pop("digest")
        torch.save(content, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(broken)
    with pytest.raises(InputError, match=rf"{name}: damaged"):
        models.load(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_an_earlier_version_loads_with_a_warning(network, tmp_path, name, caplog):
    content = files.record(network) | {"kind": "matting-prune"}
    weights = content["weights"]
    if name == "network.tar":
        torch.save(content, tmp_path / name)
    else:
        del content["weights"]
        metadata = {key: json.dumps(value) for key, value in content.items()}
        safetensors.torch.save_file(weights, tmp_path / name, metadata)
    assert same(models.load(tmp_path / name), network)
    (line,) = caplog.messages
    assert f"{name}: of an earlier version, without a digest" in line
    caplog.clear()
    files.save_network(tmp_path / name, network)
    models.load(tmp_path / name)
    assert not caplog.messages


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(network, tmp_path, name, value):
    with torch.no_grad():
        network.decoder2.norm.running_var[-1] = value
    (tmp_path / name).write_text("old")
    with pytest.raises(InputError, match=rf"{name}: decoder2\.norm\.running_var is not finite"):
        files.save_network(tmp_path / name, network)
    assert (tmp_path / name).read_text() == "old"
    write(tmp_path / name, files.record(network))
    with pytest.raises(InputError, match=rf"{name}: .*decoder2\.norm\.running_var is not finite"):
        models.load(tmp_path / name)


def test_a_weight_too_large_for_half_precision_is_named(network, tmp_path):
    with torch.no_grad():
        network.decoder2.conv.weight[0, 0] = 1e5
    with pytest.raises(InputError, match=r"decoder2\.conv\.weight is not finite.*float32"):
        files.save_network(tmp_path / "a.tar", network, half=True)
    files.save_network(tmp_path / "a.tar", network)


def test_loading_draws_nothing(network, tmp_path):
    files.save_network(tmp_path / "a.tar", network)
    before = torch.get_rng_state()
    models.load(tmp_path / "a.tar")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_has_one_fingerprint_whatever_it_was_kept_in(network, tmp_path):
    found = {files.fingerprint(network)}
    for name in NAMES:
        files.save_network(tmp_path / name, network)
        found.add(files.fingerprint(models.load(tmp_path / name)))
    found.add(files.fingerprint(network.to(memory_format=torch.channels_last)))
    assert len(found) == 1
