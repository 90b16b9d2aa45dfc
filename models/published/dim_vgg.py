"""DIM without BatchNorm in the layout of pytorch-deep-image-matting (huochaitiantang).

`convK_I`, `deconvK_1` and `deconv1` are encoder, decoder and matte; files of stages 2 and 3 also
hold `refine_convI` and `refine_pred`.
"""

import re

from torch import Tensor

from models.errors import InputError
from models.layers.vgg import CONVOLUTIONS
from models.published.ours import is_wide, plan_of

SIGNATURE = re.compile(r"(deconv[1-6]_1|refine_pred)\.(weight|bias)")
LAYERS = {  # theirs and ours
    **{
        f"conv{k}_{i}": f"encoder{k}.units.{i - 1}.conv"
        for k, count in enumerate(CONVOLUTIONS, 1)
        for i in range(1, count + 1)
    },
    "conv6_1": "encoder6.conv",
    **{f"deconv{k}_1": f"decoder{k}.conv" for k in range(6, 0, -1)},
    "deconv1": "matte",
    **{f"refine_conv{i}": f"refinement.{i - 1}.conv" for i in (1, 2, 3)},
    "refine_pred": "refined",
}


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: an entry that the layout does not have, or a network without skips.
    """
    weights: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, _, entry = name.rpartition(".")
        if layer not in LAYERS:
            raise InputError(f"it has an entry {name[:100]!r}")
        weights[f"{LAYERS[layer]}.{entry}"] = value
    deepest = weights.get("encoder6.conv.weight")
    if deepest is not None and deepest.shape[2:] == (1, 1):
        raise InputError(
            "its conv6_1 is 1x1: a file from before September 2019, of a network without skips, "
            "which is not known here; take a later one"
        )
    structure = {"refine": "refined.weight" in weights, "wide": is_wide(weights)}
    return "dim_vgg", plan_of("dim_vgg", structure, weights), structure, weights
