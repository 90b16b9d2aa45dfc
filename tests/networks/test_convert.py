"""convert.py: any checkpoint becomes the file of a network alone."""

import torch

import models
from models.files import saving as files
from tests import scripts
from tests.trainings import tiny_network


def test_a_checkpoint_becomes_a_shipped_file(tmp_path, capsys, costless):
    files.save(tmp_path / "a.tar", files.record(tiny_network()) | {"training": {}})
    scripts.main("convert.py", tmp_path / "a.tar", tmp_path / "one.safetensors", "--half")
    assert f"{tmp_path / 'one.safetensors'}: 0." in capsys.readouterr().out
    ours, theirs = models.load(tmp_path / "one.safetensors"), tiny_network()
    assert ours.plan == theirs.plan and ours.structure == theirs.structure
    torch.testing.assert_close(
        ours.decoder1.conv.weight, theirs.decoder1.conv.weight, rtol=1e-3, atol=1e-6
    )


def test_what_is_no_checkpoint_is_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "no.tar").write_bytes(b"nothing")
    line = scripts.refusal("convert.py", tmp_path / "no.tar", tmp_path / "out.safetensors")
    assert "no.tar: truncated, or no checkpoint" in line
    assert not (tmp_path / "out.safetensors").exists()


def test_a_mean_has_the_means_of_weights_and_statistics_and_the_counts_of_the_first(
    tmp_path, costless
):
    states = []
    for seed in (0, 1, 2):
        network = tiny_network(seed)
        network.decoder1.norm.running_var.fill_(seed + 1.0)
        network.decoder1.norm.num_batches_tracked.fill_(seed + 5)
        files.save_network(tmp_path / f"{seed}.tar", network)
        states.append(network.state_dict())
    others = [word for seed in (1, 2) for word in ("--mean", tmp_path / f"{seed}.tar")]
    scripts.main("convert.py", tmp_path / "0.tar", tmp_path / "out.tar", *others)
    found = models.load(tmp_path / "out.tar").state_dict()
    assert found["decoder1.norm.running_var"].eq(2.0).all()
    assert found["decoder1.norm.num_batches_tracked"] == 5
    for key, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, sum(state[key] for state in states) / 3)


def test_networks_of_which_there_is_no_mean_are_refused(tmp_path):
    for width in (1 / 32, 1 / 16):
        files.save_network(tmp_path / f"{round(1 / width)}.tar", tiny_network(width=width))
    paths = [tmp_path / "32.tar", tmp_path / "out.tar", "--mean", tmp_path / "16.tar"]
    assert f"{tmp_path / '16.tar'}: has another plan than {tmp_path / '32.tar'}" in scripts.refusal(
        "convert.py", *paths
    )
    line = scripts.refusal("convert.py", *paths[:3], tmp_path / "32.tar")
    assert f"--mean {tmp_path / '32.tar'}: stands twice" in line
    assert not (tmp_path / "out.tar").exists()


def test_only_a_network_alone_is_replaced(tmp_path, monkeypatch, costless):
    monkeypatch.setattr(files, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    files.save_network("pretrained/small.safetensors", tiny_network())
    files.save_network("pretrained/large.safetensors", tiny_network(1))
    files.save("training.tar", files.record(tiny_network()) | {"training": {}})
    (tmp_path / "notes.txt").write_text("mine")
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    for out, words in (
        ("notes.txt", "is there already, and no network alone"),
        ("training.tar", "is there already, and no network alone"),
        ("pretrained/large.safetensors", "is a shipped network; name another file"),
        ("pretrained/small.safetensors", "is read, too, and would be replaced"),
    ):
        assert f"OUT {out}: {words}" in scripts.refusal("convert.py", "small", out)
    assert all(path.read_bytes() == content for path, content in kept.items())
    for _ in range(2):  # again, over what it wrote
        scripts.main("convert.py", "small", "out.safetensors")
