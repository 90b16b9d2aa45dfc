"""Find the weights in what a checkpoint holds, whatever it wraps them in."""

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models.errors import InputError
from models.files.reading import Husk

log = logging.getLogger(__name__)

# Under which keys a file holds its weights, and what is put before the names of all of them.
AVERAGED = (
    *("ema", "ema_state_dict", "ema_model", "model_ema", "params_ema", "state_dict_ema"),
    *("averaged", "averaged_model", "swa_model"),
)
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "generator")
PREFIXES = ("module.", *(f"{wrapper}." for wrapper in (*WRAPPERS, *AVERAGED)))
COMPILED = "_orig_mod."  # torch.compile puts it before the names of a whole network or of a part
DEEPEST = 8  # wrappers in each other, and prefixes of a name; a file may hold itself


def state_dict(content: object, source: Path | str) -> dict[str, Tensor]:
    """The bare state dict in a checkpoint's content.

    Wrappers such as `{"model": ...}` are opened, pickled modules too, and what
    DistributedDataParallel, torch.compile and the like put before names is dropped. Where averaged
    weights lie beside those of the last step, the averaged ones are taken, and that is logged.

    Raises:
        InputError: no weights in it; the message names `source` and what there is instead.
    """
    outer = content
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping) or _is_module(content):
            break
        inner = _wrapped(content, WRAPPERS)
        averaged = _wrapped(content, AVERAGED)
        if averaged and inner:
            return _averaged(averaged, inner, source)
        if not (averaged or inner):
            break
        (content,) = (averaged or inner).values()
    state = _bare(content)
    if not state:
        keys = ", ".join(repr(key) for key in outer) if isinstance(outer, Mapping) else ""
        what = f"it holds {keys[:200]}" if keys else "it holds no dictionary"
        raise InputError(
            f"{source}: no weights of a published network in it ({what}); save its state_dict()"
        )
    return state


def _wrapped(content: Mapping, keys: tuple[str, ...]) -> dict[str, Mapping]:
    """The first of the keys that holds a mapping or a pickled module, and that."""
    for key in keys:
        value = content.get(key)
        if _is_module(value) or (isinstance(value, Mapping) and value):
            return {key: value}
    return {}


def _averaged(
    averaged: dict[str, Mapping], raw: dict[str, Mapping], source: Path | str
) -> dict[str, Tensor]:
    """The averaged weights, where they are of all entries, else the others."""
    ((averaged_key, averaged_state),) = averaged.items()
    ((raw_key, raw_state),) = raw.items()
    averaged_state, raw_state = (state_dict(one, source) for one in (averaged_state, raw_state))
    whole = averaged_state.keys() >= raw_state.keys()
    log.warning(
        "%s: holds %r, averaged weights, beside %r; took %r%s",
        *(source, averaged_key, raw_key, averaged_key if whole else raw_key),
        "" if whole else ", since the averaged ones lack entries",
    )
    return averaged_state if whole else raw_state


def _bare(content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    entries = _entries(content) if _is_module(content) else content
    # A name without a dot is no layer's: the counter of an averaged model.
    state = {
        name.replace(COMPILED, ""): value
        for name, value in entries.items()
        if isinstance(name, str) and "." in name and isinstance(value, Tensor)
    }
    for _ in range(DEEPEST):
        common = [p for p in PREFIXES if state and all(name.startswith(p) for name in state)]
        if not common:
            break
        state = {name.removeprefix(common[0]): value for name, value in state.items()}
    return state


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
