"""Published checkpoints as networks of ours: recognise the layout, rename, drop what is none.

DIM in the layout of foamliu's re-implementation, which DCP and SPKD build on:
`downK.convI.cbr_unit` and `upK.conv.cbr_unit`, and beside them 1x1 adapters `feature*` that served
distillation only.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models import plain_pickle
from models.errors import InputError
from models.network import Network
from models.registry import build

ADAPTERS = re.compile(r"feature(_trans)?\d+\.")
ENCODER = re.compile(r"down([1-5])\.conv([1-9])\.cbr_unit\.([01])\.(\w+)")
DECODER = re.compile(r"up([1-5])\.conv\.cbr_unit\.([01])\.(\w+)")
LAYERS = ("conv", "norm")


def load(source: Path | str | Mapping[str, Tensor]) -> Network:
    """A published network, in evaluation mode on the CPU.

    Args:
        source: a checkpoint file, or its state dict. A file may hold the state dict itself, wrap it
            as `state_dict` or `model`, or pickle the whole module; nothing of it is executed.

    Raises:
        InputError: unreadable, or of a layout that is not known.
    """
    if isinstance(source, Mapping):
        return _dim(_unwrapped(source), "state dict")
    return _dim(_unwrapped(plain_pickle.read(source)), source)


def _unwrapped(content: object) -> dict[str, Tensor]:
    """The bare state dict inside the usual wrappers."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and key in content:
            content = content[key]
    if isinstance(content, plain_pickle.Husk):
        content = plain_pickle.state_dict(content)
    if not isinstance(content, Mapping):
        return {}
    state = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}
    return {name.removeprefix("module."): value for name, value in state.items()}


def _dim(state: dict[str, Tensor], source: Path | str) -> Network:
    renamed: dict[str, Tensor] = {}
    counts = [0] * 5
    plan = {}
    for name, value in state.items():
        if ADAPTERS.match(name):
            continue
        if match := ENCODER.fullmatch(name):
            block, unit, layer, entry = match.groups()
            counts[int(block) - 1] = max(counts[int(block) - 1], int(unit))
            renamed[f"encoder{block}.units.{int(unit) - 1}.{LAYERS[int(layer)]}.{entry}"] = value
            if layer == "0" and entry == "weight" and value.ndim == 4:
                plan[f"encoder{block}.{unit}"] = len(value)
        elif match := DECODER.fullmatch(name):
            block, layer, entry = match.groups()
            renamed[f"decoder{block}.{LAYERS[int(layer)]}.{entry}"] = value
        else:
            raise InputError(f"{source}: no layout known here has an entry {name!r}")
    if not renamed:
        raise InputError(f"{source}: no weights of a published network in it")
    try:
        network = build("dim", plan, convolutions=counts)
        # Files of PyTorch before 0.4.1 do not count batches.
        for name, value in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                renamed.setdefault(name, value)
        network.load_state_dict(renamed)
    except (InputError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: looks like DIM, but does not fit it ({reason})") from error
    return network.eval()
