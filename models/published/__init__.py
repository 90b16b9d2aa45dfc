"""Published checkpoints as networks of ours: recognise the layout, rename, drop what is none.

A layout is a file here: `SIGNATURE`, an expression that some entry of such a state dict matches as
a whole, and `convert(state)`, which gives name, plan, structure and weights of our network.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models import plain_pickle
from models.errors import InputError
from models.network import Network
from models.published import dim
from models.registry import blank

LAYOUTS = {"DIM": dim}


def load(source: Path | str | Mapping[str, Tensor]) -> Network:
    """A published network, in evaluation mode on the CPU.

    Args:
        source: a checkpoint file, or its state dict. A file may hold the state dict itself, wrap it
            as `state_dict` or `model`, or pickle the whole module; nothing of it is executed.

    Raises:
        InputError: unreadable, or of a layout that is not known.
    """
    if isinstance(source, Mapping):
        return _network(_unwrapped(source), "state dict")
    return _network(_unwrapped(plain_pickle.read(source)), source)


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


def _network(state: dict[str, Tensor], source: Path | str) -> Network:
    if not state:
        raise InputError(f"{source}: no weights of a published network in it")
    known = [
        title
        for title, layout in LAYOUTS.items()
        if any(layout.SIGNATURE.fullmatch(entry) for entry in state)
    ]
    if not known:
        raise InputError(f"{source}: no layout known here has an entry {next(iter(state))!r}")
    title, layout = known[0], LAYOUTS[known[0]]
    try:
        name, plan, structure, weights = layout.convert(state)
        network = blank(name, plan, **structure)
        # Files of PyTorch before 0.4.1 do not count batches.
        for entry, value in network.state_dict().items():
            if entry.endswith("num_batches_tracked"):
                weights.setdefault(entry, value)
        network.load_state_dict(weights)
    except (InputError, RuntimeError, LookupError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: looks like {title}, but does not fit it ({reason})") from error
    return network.eval()
