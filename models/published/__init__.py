"""Published checkpoints as networks of ours: recognise the layout, rename, drop what is none.

A layout is a file here: `SIGNATURE`, an expression that some entry of such a state dict matches as
a whole, and `convert(state)`, which gives name, plan, structure and weights of our network.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models import torch_file
from models.errors import InputError
from models.fitting import fitted
from models.network import Network
from models.plain_pickle import Husk
from models.published import dim

LAYOUTS = {"DIM": dim}
MOST_ENTRIES, LONGEST_NAME = 100_000, 1000  # of a pickled module


def load(source: Path | str | Mapping[str, Tensor]) -> Network:
    """A published network, in evaluation mode on the CPU.

    Args:
        source: a checkpoint file, or its state dict. A file may hold the state dict itself, wrap it
            as `state_dict` or `model`, or pickle the whole module; nothing of it is executed.

    Raises:
        InputError: unreadable, or of a layout that is not known.
    """
    if isinstance(source, Mapping):
        return network(source, "state dict")
    return network(torch_file.read(source), source)


def network(content: object, source: Path | str) -> Network:
    """The published network of a file's content; `source` is named when it is none."""
    try:
        state = _unwrapped(content)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    if not state:
        raise InputError(f"{source}: no weights of a published network in it")
    known = [
        title
        for title, layout in LAYOUTS.items()
        if any(layout.SIGNATURE.fullmatch(entry) for entry in state)
    ]
    if not known:
        first = next(iter(state))[:100]
        raise InputError(f"{source}: no layout known here has an entry {first!r}")
    title, layout = known[0], LAYOUTS[known[0]]
    try:
        return fitted(*layout.convert(state))
    except (InputError, LookupError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: looks like {title}, but does not fit it ({reason})") from error


def _unwrapped(content: object) -> dict[str, Tensor]:
    """The bare state dict inside the usual wrappers."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and key in content:
            content = content[key]
    if isinstance(content, Husk):
        content = _state_dict(content)
    if not isinstance(content, Mapping):
        return {}
    state = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}
    return {name.removeprefix("module."): value for name, value in state.items()}


def _state_dict(module: Husk) -> dict[str, Tensor]:
    """Parameters and buffers of a pickled module, named as `nn.Module.state_dict` does.

    Raises:
        InputError: it is nested without end, or all but.
    """
    state: dict[str, Tensor] = {}
    waiting, seen = [("", module)], 0
    while waiting:
        prefix, module = waiting.pop()
        own = {**_members(module, "_parameters"), **_members(module, "_buffers")}
        children = _members(module, "_modules")
        # A module may stand at many places, and so at more than can be visited.
        seen += 1 + len(own) + len(children)
        if seen > MOST_ENTRIES or len(prefix) > LONGEST_NAME:
            raise InputError("its modules are nested without end; refused")
        state |= {f"{prefix}{k}": value for k, value in own.items() if isinstance(value, Tensor)}
        husks = [(f"{prefix}{k}.", c) for k, c in children.items() if isinstance(c, Husk)]
        waiting += reversed(husks)
    return state


def _members(module: Husk, kind: str) -> dict:
    members = module.attributes.get(kind)
    return members if isinstance(members, dict) else {}
