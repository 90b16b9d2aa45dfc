"""IndexNet in the layout of its release, with index blocks of any kind or without.

`layerK` and `decoder_layerK` are numbered as here, `dconv_pp` is the pyramid, `pred` writes the
matte. A block `indexK` has `indexnet1` to `indexnet4`, or a single `indexnet` where it is holistic.
"""

import re

from torch import Tensor

from models.errors import InputError
from models.published.indexnet_kind import structure_of
from models.published.ours import plan_of

SIGNATURE = re.compile(r"decoder_layer6\.dconv\.0\.weight")
ENTRY = re.compile(r"(.+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")
UNIT = ("conv", "norm")
BRANCH = {"0": "0.conv", "1": "0.norm", "3": "2"}  # of an index block with a nonlinearity
EXPANDED = {
    **{"0": "expand.conv", "1": "expand.norm", "3": "depthwise.conv", "4": "depthwise.norm"},
    **{"6": "project.conv", "7": "project.norm"},
}
PLAIN = {"0": "depthwise.conv", "1": "depthwise.norm", "3": "project.conv", "4": "project.norm"}
ATROUS = {"0": "0.conv", "1": "0.norm", "3": "2.conv", "4": "2.norm"}
# Layers of theirs, as a whole, and what they are here.
PLACES = (
    (r"layer0\.([01])", lambda i: f"layer0.{UNIT[int(i)]}"),
    (r"layer1\.0\.conv\.([0134])", lambda i: f"layer1.0.{PLAIN[i]}"),
    (r"layer([2-7])\.([0-3])\.conv\.([013467])", lambda k, b, i: f"layer{k}.{b}.{EXPANDED[i]}"),
    (r"dconv_pp\.([01])", lambda i: f"aspp.0.{UNIT[int(i)]}"),
    (r"dconv_pp\.aspp1\.atrous_conv\.([01])", lambda i: f"aspp.point.{UNIT[int(i)]}"),
    (
        r"dconv_pp\.aspp([234])\.atrous_conv\.([0134])",
        lambda k, i: f"aspp.atrous.{int(k) - 2}.{ATROUS[i]}",
    ),
    (r"dconv_pp\.global_avg_pool\.([12])", lambda i: f"aspp.whole.{UNIT[int(i) - 1]}"),
    (r"dconv_pp\.bottleneck_conv\.([01])", lambda i: f"aspp.fuse.{UNIT[int(i)]}"),
    (r"decoder_layer([0-6])\.dconv\.([01])", lambda k, i: f"decoder{k}.{UNIT[int(i)]}"),
    (r"pred\.0\.([01])", lambda i: f"draft.{UNIT[int(i)]}"),
    (r"pred\.1", lambda: "matte"),
)
INDEX = re.compile(r"(index[02346])\.indexnet([1-4]?)(?:\.([013]))?")
NONLINEAR = re.compile(r"index\d\.indexnet\d?\.[13]\.")  # its norm and second convolution


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: an entry that the layout does not have.
    """
    nonlinear = any(NONLINEAR.match(name) for name in state)
    weights: dict[str, Tensor] = {}
    for name, value in state.items():
        match = ENTRY.fullmatch(name)
        place = match and _place(match[1], nonlinear)
        if not place:
            raise InputError(f"it has an entry {name[:100]!r}")
        weights[f"{place}.{match[2]}"] = value
    structure = structure_of(weights)
    return "indexnet", plan_of("indexnet", structure, weights), structure, weights


def _place(layer: str, nonlinear: bool) -> str | None:
    """Where a layer of theirs stands in our network."""
    for pattern, ours in PLACES:
        if match := re.fullmatch(pattern, layer):
            return ours(*match.groups())
    if match := INDEX.fullmatch(layer):
        block, number, inside = match.groups()
        branch = f"{block}.branches.{int(number or 1) - 1}"
        if nonlinear and inside:
            return f"{branch}.{BRANCH[inside]}"
        if not nonlinear and inside in (None, "0"):
            return branch
    return None
