"""Read a config: a YAML file holds what differs from the defaults, `key=value` overrides it.

Unknown keys, wrong types and impossible values end in one line that names the file, the key and
what is allowed.
"""

import difflib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from models.errors import InputError
from utils.config.options import Config, KeysOf

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path | str | None, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file (None: all defaults) with `section.key=value` overrides.

    Raises:
        InputError: no such file, no YAML, an unknown key, a wrong type or an impossible value.
    """
    content = {} if path is None else read(Path(path))
    override(Config, content, overrides)
    return validated(Config, content, path, overrides).named(_words(path, overrides))


def override(model: type[BaseModel], content: dict, overrides: Sequence[str]) -> None:
    """Set `key.key=value` in the content of a `model`; the type of its field says what is meant.

    Raises:
        InputError: no override, or one below a value.
    """
    for text in overrides:
        key, separator, value = text.partition("=")
        keys = key.split(".")
        if not separator or not all(keys):
            raise InputError(f"{text!r} is no override; write section.key=value")
        section = content
        for name in keys[:-1]:
            if section.get(name) is None:
                section[name] = {}
            section = section[name]
            if not isinstance(section, dict):
                raise InputError(f"{text!r}: {name} is {section!r} already, which has no keys")
        section[keys[-1]] = _value(_type_of(model, keys), value, text)


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


def read(path: Path) -> dict:
    """What a YAML file holds, lists as tuples; empty where nothing is in it.

    Raises:
        InputError: no such file, no YAML, or no keys.
    """
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


def _words(path: Path | str | None, overrides: Sequence[str]) -> list[str]:
    """The words of a command line that give this config."""
    if path is None:
        return list(overrides)
    path = Path(path)
    with suppress(ValueError):  # one of configs/ is found from any folder
        path = path.relative_to(Path.cwd())
    return ["--config", str(path), *overrides]


def _type_of(model: Any, keys: Sequence[str]) -> Any:
    """The type of what stands under the keys; None where there is no such key."""
    kind = model
    for key in keys:
        kind = _plain(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(key)
            kind = field and field.annotation
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
            mark = next((m for m in getattr(kind, "__metadata__", ()) if isinstance(m, KeysOf)), 0)
            kind = _type_of(mark.model, [key]) if mark else kind
        else:
            return None
    return kind


def _plain(kind: Any) -> Any:
    """A type without its bounds, and without null beside it."""
    optional = NoneType in get_args(kind)
    return _plain(get_args(kind)[0]) if optional or get_origin(kind) is Annotated else kind


def _value(kind: Any, text: str, override: str) -> object:
    """What a text means where that type is expected; the text itself where it means nothing."""
    if NoneType in get_args(kind) and text in ("", "null", "None"):
        return None
    kind = _plain(kind)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if get_origin(inner) is not dict:
            items = [item.strip().strip("'\"") for item in text.strip().strip("[]()").split(",")]
            return tuple(_value(inner, item, override) for item in items if item or len(items) > 1)
    elif kind in (int, float, bool):
        with suppress(ValidationError):
            return TypeAdapter(kind).validate_strings(text)
        return text
    elif kind is not Any:
        return text
    return _parse(text, repr(override))


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key that stands twice and takes for numbers what YAML 1.2 does.

    1e-5 is one; 010 (of YAML 1.1: 8), 1:30 (90) and dates stay the text that they are.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012, as in the class above
        first: [
            (tag, form) for tag, form in pairs if not tag.endswith(("timestamp", "int", "float"))
        ]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                reason = f"{key.value} stands twice; rename one"
                raise yaml.constructor.ConstructorError(None, None, reason, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


FLOAT = r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
for _tag, _form in (("int", r"[-+]?(0|[1-9]\d*)$"), ("float", FLOAT)):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_form), list("-+.0123456789")
    )


def _parse(text: str, place: str) -> object:
    try:
        return _tuples(yaml.load(text, _Loader))
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split()).replace(' in "<unicode string>"', "")[:160]
        raise InputError(f"{place}: no valid YAML ({reason})") from error


def _tuples(content: object) -> object:
    """Lists as tuples: strict validation takes no list for a tuple."""
    if isinstance(content, dict):
        return {key: _tuples(value) for key, value in content.items()}
    return tuple(map(_tuples, content)) if isinstance(content, list) else content


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
    elif kind == "too_short" or (kind == "missing" and isinstance(first["loc"][-1], int)):
        reason = "too few values in this list"
    elif kind == "missing":
        reason = "is missing; add it"
    elif kind != "too_long":
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
    """The keys beside an unknown one, and which of all is likely meant."""
    names, wrong = list(_plain(_type_of(model, keys[:-1])).model_fields), keys[-1]
    elsewhere = [
        f"{key}.{wrong}"
        for key, field in model.model_fields.items()
        if wrong in getattr(field.annotation, "model_fields", ())
    ]
    close = elsewhere or difflib.get_close_matches(wrong, names, 1, cutoff=0.5)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}allowed here: {', '.join(names)}"
