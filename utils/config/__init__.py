"""Read a config: a YAML file holds what differs from the defaults, `key=value` overrides it.

Unknown keys, wrong types and impossible values end in one line that names the file, the key and
what is allowed.
"""

import difflib
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from models.errors import InputError
from utils.config.options import Config
from utils.disk.regular import require_regular

# Beside its own errors, a hand-made tag such as !!int or a number 0b_ raises any of these.
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
Model = TypeVar("Model", bound=BaseModel)
LARGEST = 10_000  # values of a config; the published ones have some forty


def load(path: Path | str | None, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file (None: all defaults) with `section.key=value` overrides.

    Raises:
        InputError: no such file, no YAML, an unknown key, a wrong type or an impossible value.
    """
    content = {} if path is None else read(Path(path))
    override(content, overrides)
    return validated(Config, content, path, overrides).named(_words(path, overrides))


def override(content: dict, overrides: Sequence[str]) -> None:
    """Set `key.key=value` in the content of a config.

    Raises:
        InputError: no override, or one of a whole section.
    """
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator or not all(key.split(".")):
            raise InputError(f"{text!r} is no override; write section.key=value")
        value = _parse(value, repr(text))
        if isinstance(value, dict):
            raise InputError(f"{text!r}: override one key at a time, {key}.KEY=value")
        _set(content, key.split("."), value, text)


def validated(
    model: type[Model], content: dict, place: Path | str | None, overrides: Sequence[str] = ()
) -> Model:
    """The content of a config as a `model`.

    Args:
        place: where it stands, for the error.

    Raises:
        InputError: an unknown key, a wrong type or an impossible value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_one_line(error, model, place, overrides)) from error


def _words(path: Path | str | None, overrides: Sequence[str]) -> list[str]:
    if path is None:
        return list(overrides)
    path = Path(path)
    with suppress(ValueError):  # one of configs/ is found from any folder
        path = path.relative_to(Path.cwd())
    return ["--config", str(path), *overrides]


def read(path: Path) -> dict:
    """What a YAML file holds, lists as tuples; empty where nothing is in it.

    Raises:
        InputError: no such file, no YAML, or no keys.
    """
    require_regular(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; there are those in configs/") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no valid YAML (it is no UTF-8 text)") from error
    content = _parse(text, str(path))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: a config is a list of 'key: value' lines")
    return content


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-5 as a number (YAML 1.2), leaves dates as they are written and
    refuses a key that stands twice."""

    # A run may be called by its date; without a resolver it stays the string it is.
    yaml_implicit_resolvers = {  # noqa: RUF012, as in the class above
        first: [(tag, regexp) for tag, regexp in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _size(node, {}) > LARGEST:
            reason = f"its aliases and values are more than {LARGEST}"
            raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                continue  # the loader above refuses the one and merges the other
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                mark = key_node.start_mark
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} stands twice; rename one", mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values a node holds, those of its aliases each time; endless where it holds itself.

    Eight aliases of eight aliases and so on are a small file that nothing can hold.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        pairs = isinstance(node, yaml.MappingNode)
        parts = [one for pair in node.value for one in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _parse(text: str, place: str) -> object:
    try:
        return _tuples(yaml.load(text, _Loader))
    except UNREADABLE as error:
        reason = " ".join(str(error).split()).replace(' in "<unicode string>"', "")[:160]
        raise InputError(f"{place}: no valid YAML ({reason})") from error


def _tuples(content: object) -> object:
    """Lists as tuples: strict validation takes no list for a tuple.

    Raises:
        ValueError: a number or a text that nothing can use, or even print.
    """
    if isinstance(content, int) and not -(2**63) <= content < 2**63:
        raise ValueError("an integer of more than 64 bits")
    if isinstance(content, str) and "\0" in content:
        raise ValueError("a text with a character of code 0")
    if isinstance(content, dict):
        return {key: _tuples(value) for key, value in content.items()}
    return tuple(map(_tuples, content)) if isinstance(content, list) else content


def _set(content: dict, keys: list[str], value: object, text: str) -> None:
    for key in keys[:-1]:
        if content.get(key) is None:
            content[key] = {}
        content = content[key]
        if not isinstance(content, dict):
            raise InputError(f"{text!r}: {key} is {content!r} already, which has no keys")
    content[keys[-1]] = value


def _one_line(
    error: ValidationError,
    model: type[BaseModel],
    path: Path | str | None,
    overrides: Sequence[str],
) -> str:
    first = error.errors()[0]
    kind, reason, value = first["type"], first["msg"], first["input"]
    keys = [part for part in first["loc"] if isinstance(part, str)]  # without places in a list
    if kind == "value_error":  # from our own validators: "key: reason"
        name, _, reason = reason.removeprefix("Value error, ").partition(": ")
        keys.append(name)
    elif kind == "invalid_key":
        keys = [str(part) for part in first["loc"]]
    elif kind == "extra_forbidden":
        reason = f"unknown key; {_allowed(model, keys)}"
    elif kind == "model_type":
        reason = f"a section holds keys; {_allowed(model, [*keys, ''])}"
    elif kind in ("missing", "too_short", "too_long"):
        reason = "too few values in this list" if kind != "too_long" else reason
    else:
        value = list(value) if isinstance(value, tuple) else value
        reason = f"{reason}, not {repr(value)[:60]}"
    key = ".".join(keys)
    blamed = [repr(text) for text in overrides if _is_about(text, key)]
    place = blamed[-1] if blamed else f"{path}: {key}"
    reason = (reason[0].lower() + reason[1:]).replace("tuple", "list")
    return " ".join(f"{place}: {reason}".split())


def _is_about(override: str, key: str) -> bool:
    given = override.partition("=")[0]
    return f"{key}.".startswith(f"{given}.") or given.startswith(f"{key}.")


def _allowed(model: type[BaseModel], keys: list[str]) -> str:
    section = model
    for key in keys[:-1]:
        section = _inside(section, key)
    names = list(section.model_fields)
    close = _elsewhere(model, keys[-1]) or difflib.get_close_matches(keys[-1], names, 1, cutoff=0.5)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}allowed here: {', '.join(names)}"


def _inside(kind: Any, key: str) -> Any:
    """The type of what stands under a key: of a section, or of a mapping of names to sections."""
    is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
    kind = kind.model_fields[key].annotation if is_section else get_args(kind)[1]
    return get_args(kind)[0] if isinstance(kind, UnionType) else kind


def _elsewhere(model: type[BaseModel], name: str) -> list[str]:
    """`section.name` of the sections that have a key of that name."""
    sections = {
        key: getattr(field.annotation, "model_fields", ())
        for key, field in model.model_fields.items()
    }
    return [f"{key}.{name}" for key, names in sections.items() if name in names]
