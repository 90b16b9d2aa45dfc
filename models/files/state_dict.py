"""Find the weights in what a checkpoint holds, whatever it wraps them in."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models.errors import InputError
from models.files.reading import Husk

log = logging.getLogger(__name__)

# Under which keys a file holds its weights, and what is put before the names of all of them.
WRAPPERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "params", "generator", "module",
)  # fmt: skip
AVERAGED = re.compile(r"(.+_)?(ema|swa|averaged)(_.+)?")
COMPILED = "_orig_mod."  # torch.compile puts it before the names of a whole network or of a part
DEEPEST = 8  # wrappers in each other; a file may hold itself


def state_dict(content: object, source: Path | str) -> dict[str, Tensor]:
    """The bare state dict in a checkpoint's content.

    Wrappers such as `{"model": ...}` are opened, pickled modules too, and what
    DistributedDataParallel, torch.compile and the like put before names is dropped. Where averaged
    weights lie beside those of the last step, the averaged ones are taken, and that is logged.

    Raises:
        InputError: no weights in it; the message names `source` and what there is instead.
    """
    state = _find(content, source, DEEPEST)
    if not state:
        keys = ", ".join(map(repr, content)) if isinstance(content, Mapping) else ""
        what = f"it holds {keys[:200]}" if keys else "it holds no dictionary"
        raise InputError(
            f"{source}: no weights of a published network in it ({what}); save its state_dict()"
        )
    return state


def _find(content: object, source: Path | str, depth: int) -> dict[str, Tensor]:
    """The weights in a content and its wrappers; empty where there are none, or others, too."""
    if not isinstance(content, Mapping) or depth == 0:
        return {}
    if _is_module(content):
        content = _entries(content)
    found = {
        key: state
        for key, value in content.items()
        if isinstance(key, str) and (state := _find(value, source, depth - 1))
    }
    raw = next((key for key in WRAPPERS if key in found), None)
    averaged = next((key for key in found if AVERAGED.fullmatch(key)), None)
    if averaged and raw:
        whole = found[averaged].keys() >= found[raw].keys()
        taken, reason = (averaged, "") if whole else (raw, ", since the averaged ones lack entries")
        text = "%s: holds %r, averaged weights, beside %r; took %r%s"
        log.warning(text, source, averaged, raw, taken, reason)
        return found[taken]
    if averaged or raw:
        return found[averaged or raw]
    state = _layers(content, source, depth)
    return next(iter(found.values())) if len(found) == 1 and not state else state


def _layers(entries: Mapping, source: Path | str, depth: int) -> dict[str, Tensor]:
    """The entries of layers, without what stands before all of their names."""
    # A name without a dot is no layer's: the counter of an averaged model.
    state = {
        name.replace(COMPILED, ""): value
        for name, value in entries.items()
        if isinstance(name, str) and "." in name and isinstance(value, Tensor)
    }
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        parts.setdefault(first, {})[rest] = value
    if not all(part in WRAPPERS or AVERAGED.fullmatch(part) for part in parts):
        return state
    return _find(parts, source, depth - 1)


def _is_module(content: object) -> bool:
    return isinstance(content, Husk) and "_modules" in content.attributes


def _entries(module: Husk, prefix: str = "") -> dict[str, Tensor]:
    """Parameters and buffers of a pickled module, named as `nn.Module.state_dict` does."""
    state = {}
    for kind in ("_parameters", "_buffers"):
        own = module.attributes.get(kind, {})
        state |= {f"{prefix}{key}": value for key, value in own.items()}
    for key, child in module.attributes["_modules"].items():
        if _is_module(child):
            state |= _entries(child, f"{prefix}{key}.")
    return state
