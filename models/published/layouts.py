"""How published checkpoints name their layers, and what these are called here.

A layout is `{layer of theirs: layer of ours}`; an entry is a layer and `.weight`, `.bias` and the
like. Which structure and widths a network has is read off the renamed entries.
"""

from itertools import product
from typing import NamedTuple

from models.layers.vgg import CONVOLUTIONS

BLOCKS = range(100)  # of a layer of a ResNet; the largest has 36
UNIT = ("conv", "norm")

# foamliu's re-implementation, which DCP and SPKD build on.
DIM = {
    f"down{k}.conv{i}.cbr_unit.{u}": f"encoder{k}.units.{i - 1}.{UNIT[u]}"
    for k, i, u in product(range(1, 6), range(1, 10), (0, 1))
} | {f"up{k}.conv.cbr_unit.{u}": f"decoder{k}.{UNIT[u]}" for k, u in product(range(1, 6), (0, 1))}

# huochaitiantang's pytorch-deep-image-matting; stages 2 and 3 have the refinement.
DIM_VGG = {
    **{
        f"conv{k}_{i}": f"encoder{k}.units.{i - 1}.conv"
        for k, count in enumerate(CONVOLUTIONS, 1)
        for i in range(1, count + 1)
    },
    "conv6_1": "encoder6.conv",
    **{f"deconv{k}_1": f"decoder{k}.conv" for k in range(1, 7)},
    "deconv1": "matte",
    **{f"refine_conv{i}": f"refinement.{i - 1}.conv" for i in (1, 2, 3)},
    "refine_pred": "refined",
}


def _gca() -> dict[str, str]:
    blocks = {
        **{"encoder.layer1": ("layer1", 3), "encoder.layer2": ("layer2", 4)},
        **{"encoder.layer3": ("layer3", 4), "encoder.layer_bottleneck": ("layer4", 2)},
        **{"decoder.layer1": ("decoder4", 2), "decoder.layer2": ("decoder3", 3)},
        **{"decoder.layer3": ("decoder2", 3), "decoder.layer4": ("decoder1", 2)},
    }
    block = {
        **{"conv1": "first.conv", "bn1": "first.norm", "conv2": "second.conv"},
        **{"bn2": "second.norm", "downsample.1": "shortcut.1.conv"},
        **{"downsample.2": "shortcut.1.norm", "upsample.1": "shortcut.0.conv"},
        "upsample.2": "shortcut.0.norm",
    }
    shortcut = {"0": "0.conv", "2": "0.norm", "3": "1.conv", "5": "1.norm"}
    attention = {"guidance_conv": "features.conv", "W.0": "project.conv", "W.1": "project.norm"}
    layout = {"decoder.conv1": "decoder0.conv", "decoder.bn1": "decoder0.norm"}
    layout["decoder.conv2"] = "matte"
    for k in (1, 2, 3):
        layout |= {f"encoder.conv{k}": f"conv{k}.conv", f"encoder.bn{k}": f"conv{k}.norm"}
        head = "encoder.guidance_head"
        layout[f"{head}.{4 * k - 3}"] = f"guidance.{k - 1}.conv"
        layout[f"{head}.{4 * k - 1}"] = f"guidance.{k - 1}.norm"
    for theirs, (ours, count) in blocks.items():
        for i in range(count):
            layout |= {f"{theirs}.{i}.{a}": f"{ours}.{i}.{b}" for a, b in block.items()}
    for k in range(5):
        layout |= {f"encoder.shortcut.{k}.{a}": f"shortcut{k}.{b}" for a, b in shortcut.items()}
    for theirs, ours in (("encoder", "attention2"), ("decoder", "attention3")):
        layout |= {f"{theirs}.gca.{a}": f"{ours}.{b}" for a, b in attention.items()}
    # A convolution under spectral norm is wrapped.
    return layout | {f"{theirs}.module": ours for theirs, ours in layout.items()}


def _indexnet(branch: dict[str, str]) -> dict[str, str]:
    """IndexNet's release, with what a branch of its index blocks is made of."""
    expanded = {
        **{"0": "expand.conv", "1": "expand.norm", "3": "depthwise.conv", "4": "depthwise.norm"},
        **{"6": "project.conv", "7": "project.norm"},
    }
    plain = {"0": "depthwise.conv", "1": "depthwise.norm", "3": "project.conv", "4": "project.norm"}
    pyramid = {"": "aspp.0", ".aspp1.atrous_conv": "aspp.point", ".bottleneck_conv": "aspp.fuse"}
    atrous = {"0": "0.conv", "1": "0.norm", "3": "2.conv", "4": "2.norm"}
    layout = {f"layer1.0.conv.{a}": f"layer1.0.{b}" for a, b in plain.items()}
    for k, i in product(range(2, 8), range(4)):
        layout |= {f"layer{k}.{i}.conv.{a}": f"layer{k}.{i}.{b}" for a, b in expanded.items()}
    for u, part in enumerate(UNIT):
        layout[f"layer0.{u}"] = f"layer0.{part}"
        layout[f"pred.0.{u}"] = f"draft.{part}"
        layout |= {f"decoder_layer{k}.dconv.{u}": f"decoder{k}.{part}" for k in range(7)}
        layout |= {f"dconv_pp{a}.{u}": f"{b}.{part}" for a, b in pyramid.items()}
        layout[f"dconv_pp.global_avg_pool.{u + 1}"] = f"aspp.whole.{part}"
    for k, (a, b) in product((2, 3, 4), atrous.items()):
        layout[f"dconv_pp.aspp{k}.atrous_conv.{a}"] = f"aspp.atrous.{k - 2}.{b}"
    for k, (number, i) in product((0, 2, 3, 4, 6), [("", 0), *((str(i + 1), i) for i in range(4))]):
        for a, b in branch.items():
            layout[f"index{k}.indexnet{number}{a}"] = f"index{k}.branches.{i}{b}"
    return layout | {"pred.1": "matte"}


def _semseg() -> dict[str, str]:
    stem = {"0": "0.conv", "1": "0.norm", "3": "1.conv", "4": "1.norm", "6": "2.conv"}
    stem["7"] = "2.norm"
    block = {"downsample.0": "shortcut.conv", "downsample.1": "shortcut.norm"}
    for i, place in enumerate(("reduce", "middle", "expand"), 1):
        block |= {f"conv{i}": f"{place}.conv", f"bn{i}": f"{place}.norm"}
    layout = {f"layer0.{a}": f"layer0.{b}" for a, b in stem.items()}
    for k, i in product(range(1, 5), BLOCKS):
        layout |= {f"layer{k}.{i}.{a}": f"layer{k}.{i}.{b}" for a, b in block.items()}
    for u, part in enumerate(UNIT):
        layout |= {f"ppm.features.{k}.{u + 1}": f"pyramid.{k}.{part}" for k in range(4)}
        layout |= {f"cls.{u}": f"fuse.{part}", f"aux.{u}": f"auxiliary.0.{part}"}
    return layout | {"cls.4": "scores", "aux.4": "auxiliary.3"}


class Layout(NamedTuple):
    """`title` names it in messages, `name` the network of ours."""

    title: str
    name: str
    layers: dict[str, str]


LAYOUTS = (  # the first of those that know most entries of a file is taken
    Layout("DIM", "dim", DIM),
    Layout("DIM without BatchNorm", "dim_vgg", DIM_VGG),
    Layout("GCA", "gca", _gca()),
    Layout("IndexNet", "indexnet", _indexnet({"": "", ".0": ""})),  # linear index blocks
    Layout("IndexNet", "indexnet", _indexnet({".0": ".0.conv", ".1": ".0.norm", ".3": ".2"})),
    Layout("PSPNet of semseg", "pspnet", _semseg()),
)
