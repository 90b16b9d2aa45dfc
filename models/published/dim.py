"""DIM in the layout of foamliu's re-implementation, which DCP and SPKD build on.

`downK.convI.cbr_unit` and `upK.conv.cbr_unit`, and beside them 1x1 adapters `feature*` that served
distillation only.
"""

import re

from torch import Tensor

from models.errors import InputError

SIGNATURE = re.compile(r"(down|up)[1-5]\.conv[1-9]?\.cbr_unit\.[01]\.\w+")
ADAPTERS = re.compile(r"feature(_trans)?\d+\.")
ENCODER = re.compile(r"down([1-5])\.conv([1-9])\.cbr_unit\.([01])\.(\w+)")
DECODER = re.compile(r"up([1-5])\.conv\.cbr_unit\.([01])\.(\w+)")
LAYERS = ("conv", "norm")


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: an entry that the layout does not have.
    """
    weights: dict[str, Tensor] = {}
    counts = [0] * 5
    plan = {}
    for name, value in state.items():
        if ADAPTERS.match(name):
            continue
        if match := ENCODER.fullmatch(name):
            block, unit, layer, entry = match.groups()
            counts[int(block) - 1] = max(counts[int(block) - 1], int(unit))
            weights[f"encoder{block}.units.{int(unit) - 1}.{LAYERS[int(layer)]}.{entry}"] = value
            if layer == "0" and entry == "weight" and value.ndim == 4:
                plan[f"encoder{block}.{unit}"] = len(value)
        elif match := DECODER.fullmatch(name):
            block, layer, entry = match.groups()
            weights[f"decoder{block}.{LAYERS[int(layer)]}.{entry}"] = value
        else:
            raise InputError(f"it has an entry {name[:100]!r}")
    return "dim", plan, {"convolutions": counts}, weights
