"""GCA in the layout of its release.

`encoder.*` and `decoder.*`; a convolution under spectral norm is wrapped, `NAME.module`, and has
the entries `weight_bar`, `weight_u` and `weight_v`.
"""

import re

from torch import Tensor

from models.errors import InputError
from models.published.ours import plan_of

SIGNATURE = re.compile(r"encoder\.layer_bottleneck\.0\.conv1\.module\.weight_bar")
ENTRY = re.compile(r"(.+?)(?:\.module)?\.(\w+)")
SPECTRAL = {
    "weight_bar": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0.u",
    "weight_v": "parametrizations.weight.0.v",
}
# Theirs and ours of what a block, a shortcut and an attention are made of.
BLOCK = {
    **{"conv1": "first.conv", "bn1": "first.norm", "conv2": "second.conv", "bn2": "second.norm"},
    **{"downsample.1": "shortcut.1.conv", "downsample.2": "shortcut.1.norm"},
    **{"upsample.1": "shortcut.0.conv", "upsample.2": "shortcut.0.norm"},
}
SHORTCUT = {"0": "0.conv", "2": "0.norm", "3": "1.conv", "5": "1.norm"}
ATTENTION = {"guidance_conv": "features.conv", "W.0": "project.conv", "W.1": "project.norm"}
BLOCKS = {
    **{"encoder.layer1": ("layer1", 3), "encoder.layer2": ("layer2", 4)},
    **{"encoder.layer3": ("layer3", 4), "encoder.layer_bottleneck": ("layer4", 2)},
    **{"decoder.layer1": ("decoder4", 2), "decoder.layer2": ("decoder3", 3)},
    **{"decoder.layer3": ("decoder2", 3), "decoder.layer4": ("decoder1", 2)},
}


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: an entry that the layout does not have.
    """
    known, weights = layers(), {}
    for name, value in state.items():
        match = ENTRY.fullmatch(name)
        if not match or match[1] not in known:
            raise InputError(f"it has an entry {name!r}")
        weights[f"{known[match[1]]}.{SPECTRAL.get(match[2], match[2])}"] = value
    structure = {"spectral": True}
    return "gca", plan_of("gca", structure, weights), structure, weights


def layers() -> dict[str, str]:
    """Of every layer of theirs ours."""
    found = {"decoder.conv1": "decoder0.conv", "decoder.bn1": "decoder0.norm"}
    found["decoder.conv2"] = "matte"
    for k in (1, 2, 3):
        found |= {f"encoder.conv{k}": f"conv{k}.conv", f"encoder.bn{k}": f"conv{k}.norm"}
        guidance, place = f"guidance.{k - 1}", 4 * k - 3
        found[f"encoder.guidance_head.{place}"] = f"{guidance}.conv"
        found[f"encoder.guidance_head.{place + 2}"] = f"{guidance}.norm"
    for theirs, (ours, count) in BLOCKS.items():
        for i in range(count):
            found |= {f"{theirs}.{i}.{a}": f"{ours}.{i}.{b}" for a, b in BLOCK.items()}
    for k in range(5):
        found |= {f"encoder.shortcut.{k}.{a}": f"shortcut{k}.{b}" for a, b in SHORTCUT.items()}
    for theirs, ours in (("encoder", "attention2"), ("decoder", "attention3")):
        found |= {f"{theirs}.gca.{a}": f"{ours}.{b}" for a, b in ATTENTION.items()}
    return found
