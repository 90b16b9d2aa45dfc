"""What the entries of an IndexNet, named as ours, tell of its structure."""

import re
from collections.abc import Mapping

from torch import Tensor

FIRST = re.compile(r"index\d\.branches\.0(\.0\.conv)?\.weight")  # a block's first convolution


def structure_of(state: Mapping[str, Tensor]) -> dict[str, object]:
    """The structure of an IndexNet that has these entries; what cannot be one gives any."""
    structure: dict[str, object] = {"aspp": "aspp.fuse.conv.weight" in state}
    firsts = [v for k, v in state.items() if FIRST.fullmatch(k) and v.ndim == 4]
    if not firsts:
        last = state.get("aspp.fuse.conv.weight", state.get("aspp.0.conv.weight"))
        reads = state.get("decoder6.conv.weight")
        known = all(weight is not None and weight.ndim == 4 for weight in (last, reads))
        alone = known and len(last) == reads.shape[1]
        return structure | {"decoder": "unpool" if alone else "unet"}
    if "index0.branches.1.weight" in state or "index0.branches.1.0.conv.weight" in state:
        # A block of a single channel is both: the same function.
        kind = "m2o" if any(weight.shape[1] > 1 for weight in firsts) else "o2o"
    else:
        kind = "holistic"
    return structure | {
        "decoder": "indexed",
        "index": kind,
        "nonlinear": "index0.branches.0.0.norm.weight" in state,
        "context": firsts[0].shape[-1] > 2,
    }
