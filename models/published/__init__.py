"""Published checkpoints as networks of ours: recognise the layout, rename, drop what is none.

A layout is a file here: `SIGNATURE`, an expression that some entry of such a state dict matches as
a whole, and `convert(state)`, which gives name, plan, structure and weights of our network, or an
`InputError` that names the first entry which the layout does not have.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models.errors import InputError
from models.files import torch_file
from models.files.fitting import fitted
from models.files.plain_pickle import Husk
from models.network import Network
from models.published import dim, dim_vgg, gca, indexnet, ours, semseg, unknown

log = logging.getLogger(__name__)

LAYOUTS = {
    "DIM": dim,  # of foamliu, DCP and SPKD
    "DIM without BatchNorm": dim_vgg,  # of huochaitiantang
    "GCA": gca,
    "IndexNet": indexnet,
    "PSPNet of semseg": semseg,
    "a network of ours": ours,
}
# Under which keys a file holds its weights, and what is put before the names of all of them.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
PREFIXES = ("module.", *(f"{wrapper}." for wrapper in WRAPPERS))
COMPILED = "_orig_mod."  # torch.compile puts it before the names of a whole network or of a part
DEEPEST = 8  # wrappers in each other, and prefixes of a name; a pickle may hold itself
MOST_ENTRIES, LONGEST_NAME = 100_000, 1000  # of a pickled module


def load(source: Path | str | Mapping[str, Tensor]) -> Network:
    """A published network, in evaluation mode on the CPU.

    Args:
        source: a checkpoint file, or its state dict. A file may hold the state dict itself, wrap it
            under one of `WRAPPERS`, or pickle the whole module; nothing of it is executed. What
            DistributedDataParallel, torch.compile and the like put before names is dropped.

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
        raise InputError(f"{source}: {unknown.told(state, LAYOUTS, source)}")
    title, layout = known[0], LAYOUTS[known[0]]
    try:
        name, plan, structure, weights = layout.convert(state)
        found = fitted(name, plan, structure, weights)
    except (InputError, LookupError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: looks like {title}, but does not fit it ({reason})") from error
    rest = len(state) - len(weights)
    left_out = f"; {rest} entries that only its training needs are left out" if rest else ""
    log.info("%s: found %s, %s here%s", source, title, name, left_out)
    return found


def _unwrapped(content: object) -> dict[str, Tensor]:
    """The bare state dict inside the usual wrappers."""
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            break
        inner = (content.get(key) for key in WRAPPERS)
        content = next((one for one in inner if isinstance(one, (Mapping, Husk))), content)
    if isinstance(content, Husk):
        content = _state_dict(content)
    if not isinstance(content, Mapping):
        return {}
    state = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}
    return _without_prefixes({name.replace(COMPILED, ""): v for name, v in state.items()})


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries of layers, without what all of them begin with, as often as it stands there."""
    # A name without a dot is no layer's: the counter of an averaged model.
    state = {name: value for name, value in state.items() if "." in name}
    for _ in range(DEEPEST):
        common = [p for p in PREFIXES if state and all(name.startswith(p) for name in state)]
        if not common:
            break
        state = {name.removeprefix(common[0]): value for name, value in state.items()}
    return state


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
