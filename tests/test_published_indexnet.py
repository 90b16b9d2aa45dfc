"""IndexNet's published layout: its kind is read off the entries; what does not fit is one line."""

import re

import pytest
import torch

import models
from models.errors import InputError

STRUCTURES = [
    {},
    {"nonlinear": False},
    {"context": False},
    {"index": "o2o"},
    {"index": "o2o", "nonlinear": False, "context": False},
    {"index": "holistic"},
    {"index": "holistic", "nonlinear": False, "context": False},
    {"decoder": "unet"},
    {"aspp": False},
]
LAST = {"conv": "0", "norm": "1"}
EXPANDED = {"expand": ("0", "1"), "depthwise": ("3", "4"), "project": ("6", "7")}
PLAIN = {"depthwise": ("0", "1"), "project": ("3", "4")}
PYRAMID = {
    **{"point.conv": "aspp1.atrous_conv.0", "point.norm": "aspp1.atrous_conv.1"},
    **{"whole.conv": "global_avg_pool.1", "whole.norm": "global_avg_pool.2"},
    **{"fuse.conv": "bottleneck_conv.0", "fuse.norm": "bottleneck_conv.1"},
    **{"0.conv": "0", "0.norm": "1"},
}


def theirs(place: str, holistic: bool) -> str:
    """A layer of ours as the release names it."""
    if place == "matte":
        return "pred.1"
    layer, *rest = place.split(".")
    if layer == "draft":
        return f"pred.0.{LAST[rest[0]]}"
    if layer == "layer0":
        return f"layer0.{LAST[rest[0]]}"
    if layer.startswith("layer"):
        block, part, kind = rest
        places = (PLAIN if layer == "layer1" else EXPANDED)[part]
        return f"{layer}.{block}.conv.{places[kind == 'norm']}"
    if layer.startswith("decoder"):
        return f"decoder_layer{layer[-1]}.dconv.{LAST[rest[0]]}"
    if layer.startswith("index"):
        branch = "indexnet" if holistic else f"indexnet{int(rest[1]) + 1}"
        inside = {"0.conv": ".0", "0.norm": ".1", "2": ".3", "": "" if holistic else ".0"}
        return f"{layer}.{branch}{inside['.'.join(rest[2:])]}"
    if rest[0] == "atrous":
        kept = {"0.conv": "0", "0.norm": "1", "2.conv": "3", "2.norm": "4"}
        return f"dconv_pp.aspp{int(rest[1]) + 2}.atrous_conv.{kept['.'.join(rest[2:])]}"
    return f"dconv_pp.{PYRAMID['.'.join(rest)]}"


def published(**structure) -> tuple[models.Network, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    plan = models.scaled_plan("indexnet", 1 / 8, **structure)
    network = models.build("indexnet", plan, **structure)
    state = {}
    for entry, value in network.state_dict().items():
        place, _, last = entry.rpartition(".")
        state[f"module.{theirs(place, structure.get('index') == 'holistic')}.{last}"] = value
    return network, {"state_dict": state}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structure_and_widths_are_read_off_the_entries(structure):
    network, file = published(**structure)
    assert len(file["state_dict"]) == len(network.state_dict())
    for source in (file, network.state_dict()):  # the second is a bare one of ours
        found = models.published.load(source)
        assert (found.structure, found.plan) == (network.structure, network.plan)
        ours = network.state_dict()
        assert all(torch.equal(value, ours[entry]) for entry, value in found.state_dict().items())


def test_a_network_without_skips_is_read_from_a_bare_state_dict():
    for aspp in (True, False):
        structure = {"decoder": "unpool", "aspp": aspp}
        network, _ = published(**structure)
        assert models.published.load(network.state_dict()).structure == network.structure


def changed(pattern: str, name: str) -> dict[str, torch.Tensor]:
    _, file = published()
    return {re.sub(pattern, name, entry): v for entry, v in file["state_dict"].items()}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (changed("index6.indexnet4", "index6.indexnet5"), "an entry 'index6.indexnet5.0.weight'"),
        (changed("decoder_layer3", "decoder_layer7"), "an entry 'decoder_layer7.dconv.0.weight'"),
        (changed("dconv_pp.aspp4", "dconv_pp.aspp5"), "an entry 'dconv_pp.aspp5"),
        (changed("layer7.0", "layer8.0"), "an entry 'layer8.0.conv.0.weight'"),
        (changed("index0.indexnet1.3", "index0.indexnet1.2"), "index0.indexnet1.2"),
    ],
)
def test_a_strange_entry_is_named(state, words):
    with pytest.raises(InputError, match=f"looks like IndexNet, but does not fit it .*{words}"):
        models.published.load(state)


def test_index_blocks_of_two_kinds_in_one_file_are_refused():
    _, file = published()
    _, other = published(index="o2o")
    mixed = file["state_dict"] | {k: v for k, v in other["state_dict"].items() if "index3" in k}
    with pytest.raises(InputError, match=r"index3\.branches\.0\.0\.conv\.weight is \(4, 1, 4, 4\)"):
        models.published.load(mixed)
    _, linear = published(nonlinear=False)
    mixed = {k: v for k, v in file["state_dict"].items() if "index3" not in k}
    mixed |= {k: v for k, v in linear["state_dict"].items() if "index3" in k}
    with pytest.raises(InputError, match=r"'index3\.branches\.0\.0\.norm\.weight' is missing"):
        models.published.load(mixed)


def test_a_plan_that_breaks_a_tie_is_refused():
    _, file = published()
    state = file["state_dict"]
    name = "module.decoder_layer1.dconv.0.weight"  # upsampled by index0
    state[name] = state[name][:2]
    with pytest.raises(InputError, match=r"decoder1\.conv\.weight is \(2, .*not \(4, "):
        models.published.load(state)
