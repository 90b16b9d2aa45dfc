"""PSPNet in the layout of hszhao/semseg.

`layer0` to `layer4` are those of its ResNet, `ppm.features.K` the pyramid, `cls` the head and, in
files of a training, `aux` the auxiliary head.
"""

import re

from torch import Tensor

from models.errors import InputError
from models.published.ours import plan_of, pspnet_structure

SIGNATURE = re.compile(r"ppm\.features\.\d\.1\.weight")
NORM = r"weight|bias|running_mean|running_var|num_batches_tracked"
STEM = {"0": "0.conv", "1": "0.norm", "3": "1.conv", "4": "1.norm", "6": "2.conv", "7": "2.norm"}
BLOCK = r"layer([1-4])\.(\d{1,3})\."
INSIDE = ("reduce", "middle", "expand")
# Entries of theirs, as a whole, and what they are here.
PLACES = (
    (r"layer0\.([013467])", lambda i: f"layer0.{STEM[i]}"),
    (BLOCK + r"conv([123])", lambda k, i, n: f"layer{k}.{i}.{INSIDE[int(n) - 1]}.conv"),
    (BLOCK + r"bn([123])", lambda k, i, n: f"layer{k}.{i}.{INSIDE[int(n) - 1]}.norm"),
    (BLOCK + r"downsample\.0", lambda k, i: f"layer{k}.{i}.shortcut.conv"),
    (BLOCK + r"downsample\.1", lambda k, i: f"layer{k}.{i}.shortcut.norm"),
    (r"ppm\.features\.([0-3])\.1", lambda k: f"pyramid.{k}.conv"),
    (r"ppm\.features\.([0-3])\.2", lambda k: f"pyramid.{k}.norm"),
    (r"cls\.0", lambda: "fuse.conv"),
    (r"cls\.1", lambda: "fuse.norm"),
    (r"cls\.4", lambda: "scores"),
    (r"aux\.0", lambda: "auxiliary.0.conv"),
    (r"aux\.1", lambda: "auxiliary.0.norm"),
    (r"aux\.4", lambda: "auxiliary.3"),
)


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: an entry that the layout does not have.
        LookupError: the scores are missing.
    """
    weights: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, entry = _place(name)
        weights[f"{layer}.{entry}"] = value
    structure = pspnet_structure(weights)
    return "pspnet", plan_of("pspnet", structure, weights), structure, weights


def _place(name: str) -> tuple[str, str]:
    """Where an entry stands in our network: the layer, and what it is of it."""
    layer, _, entry = name.rpartition(".")
    if re.fullmatch(NORM, entry):
        for pattern, ours in PLACES:
            if match := re.fullmatch(pattern, layer):
                return ours(*match.groups()), entry
    raise InputError(f"it has an entry {name[:100]!r}")
