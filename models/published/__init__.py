"""Published checkpoints as networks of ours: recognise the layout, rename, drop adapters."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.errors import InputError
from models.files.reading import read
from models.files.state_dict import state_dict
from models.network import Network
from models.published.layouts import LAYOUTS
from models.published.structure import name_of, plan_of, structure_of
from models.registry import NETWORKS, blank, with_weights

log = logging.getLogger(__name__)

ADAPTERS = re.compile(r"feature(_trans)?\d+\.")  # of DIM's distillation
SPECTRAL = {  # GCA's entries of a convolution under spectral norm
    "weight_bar": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0.u",
    "weight_v": "parametrizations.weight.0.v",
}
SHOWN = 3  # entries that differ


def load(source: Path | str | Mapping[str, Tensor]) -> Network:
    """A published network, in evaluation mode on the CPU.

    Args:
        source: a checkpoint file, or its state dict. A file may hold the state dict itself, wrap it
            (`{"model": ...}`), or pickle the whole module; nothing of it is executed. What
            DistributedDataParallel, torch.compile and the like put before names is dropped.

    Raises:
        InputError: unreadable, or of a layout that is not known.
    """
    if isinstance(source, Mapping):
        return from_content(source, "state dict")
    return from_content(read(source), source)


def from_content(content: object, source: Path | str) -> Network:
    """The published network of a file's content; `source` is named when it is none."""
    state = state_dict(content, source)
    title, name, weights = _renamed(state, source)
    try:
        structure = structure_of(name, weights)
        network = with_weights(name, plan_of(name, structure, weights), structure, weights)
    except (InputError, KeyError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{source}: looks like {title}, but does not fit it ({reason})") from error
    rest = len(state) - len(weights)
    left_out = f"; {rest} entries that only its training needs are left out" if rest else ""
    log.info("%s: found %s, %s here%s", source, title, name, left_out)
    return network


def _renamed(state: Mapping[str, Tensor], source: Path | str) -> tuple[str, str, dict[str, Tensor]]:
    """The title of the layout that knows most entries, our network's name, and our entries.

    Raises:
        InputError: there are entries that no layout knows, or not this one.
    """
    if name := name_of(state):
        return "a network of ours", name, dict(state)
    entries = {
        entry: entry.rpartition(".")[::2] for entry in state if not ADAPTERS.match(entry)
    }  # of each its layer and what it is of that
    known = [sum(layer in one.layers for layer, _ in entries.values()) for one in LAYOUTS]
    title, name, layers = LAYOUTS[known.index(max(known))]
    strange = [entry for entry, (layer, _) in entries.items() if layer not in layers]
    if strange or not entries:
        raise InputError(
            f"{source}: {_difference(state, title if any(known) else None, strange, source)}"
        )
    if title == "DIM without BatchNorm":
        _check_skips(state, source)
    weights = {
        f"{layers[layer]}.{SPECTRAL.get(what, what)}": state[entry]
        for entry, (layer, what) in entries.items()
    }
    return title, name, weights


def _difference(
    state: Mapping[str, Tensor], title: str | None, strange: list[str], source: Path | str
) -> str:
    """Why weights of no known layout cannot be loaded, and what they are good for."""
    if takers := _encoders_from(state):
        classifier, names = takers
        return (
            f"weights of the classifier {classifier}, not of a whole network; train one on them "
            f"with network.name={' or '.join(names)} and network.pretrained={source}"
        )
    if title is None:
        return f"no layout known here has an entry {next(iter(strange or state))[:100]!r}"
    first = ", ".join(repr(entry[:100]) for entry in strange[:SHOWN])
    more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
    return f"looks like {title}, but does not fit it (it has an entry {first}{more})"


def _check_skips(state: Mapping[str, Tensor], source: Path | str) -> None:
    if "conv6_1.weight" in state and state["conv6_1.weight"].shape[2:] == (1, 1):
        raise InputError(
            f"{source}: its conv6_1 is 1x1: a file from before September 2019, of a network "
            "without skips, which is not known here; take a later one"
        )


def _encoders_from(state: Mapping[str, Tensor]) -> tuple[str, list[str]] | None:
    """The classifier whose weights these are, and the networks whose encoders start from it."""
    classifiers: dict[str, list[str]] = {}
    for name in NETWORKS:
        with torch.device("meta"):
            encoder = blank(name).encoder()
        if encoder and all(entry in state for entry in encoder.entries.values()):
            classifiers.setdefault(encoder.classifier, []).append(name)
    return next(iter(classifiers.items()), None)
