"""Groups of typed parameters, and how values get into them: from YAML and NAME=VALUE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from dense_reloc_ros.errors import ConfigurationError, family


class Block(BaseModel):
    """A frozen group of parameters that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


AnyBlock = TypeVar("AnyBlock", bound=Block)


def block_from_mapping(kind: type[AnyBlock], values: dict[str, Any]) -> AnyBlock:
    """Parameters of any kind from nested plain values.

    Raises:
        ConfigurationError: an unknown name, a wrong type or a value out of range; names it.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(first_refusal(error, kind)) from None


def first_refusal(error: ValidationError, kind: type[BaseModel]) -> str:
    """What a model does not like first, with the parameter's name where it is about one."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said += nearest_name(name, {*dict(fields(kind)), *kind.model_fields})
    reason = f"parameter '{name}': {said}" if name else said
    return str(reason)


def fields(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The dotted name and the field of each value in a model and the models in it."""
    for name, info in kind.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from fields(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, info


def nearest_name(name: str, known: Iterable[str]) -> str:
    """What to say after an unknown name: the known one that it resembles, if any does."""
    names = list(known)
    near = get_close_matches(name, names, n=1) or [k for k in names if k.endswith(f".{name}")]
    return f"; did you mean '{near[0]}'?" if near else ""


def unknown_name(name: str, known: Iterable[str]) -> str:
    """What to say of a parameter that does not exist."""
    return f"parameter '{name}': there is none of this name{nearest_name(name, known)}"


def with_settings(block: AnyBlock, settings: Sequence[str]) -> AnyBlock:
    """A block with some of its values set by NAME=VALUE, with dotted names and values as in YAML.

    Raises:
        ConfigurationError: text of another form, an unknown name or a value that is not allowed.
    """
    values, known = block.model_dump(), dict(fields(type(block)))
    for name, value in parsed_settings(settings):
        if name not in known:
            raise ConfigurationError(unknown_name(name, known))
        *blocks, last = name.split(".")
        inner = values
        for part in blocks:
            inner = inner[part]
        inner[last] = value
    return block_from_mapping(type(block), values)


def parsed_settings(settings: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The dotted names and the values of texts NAME=VALUE, with values as in YAML.

    Raises:
        ConfigurationError: text of another form.
    """
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not (separator and name.strip()):
            raise ConfigurationError(f"'{setting}' is not NAME=VALUE, as in retrieval.keyframes=8")
        yield name.strip(), _value(text)


def _value(text: str) -> Any:
    with family(lambda reason: ConfigurationError(f"{text}: not YAML ({reason})")):
        return yaml.safe_load(text)


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file.

    Raises:
        ConfigurationError: a file that cannot be read or is not YAML; names the file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    with family(lambda reason: ConfigurationError(f"{path}: not YAML ({reason})")):
        return yaml.safe_load(content.decode("utf-8-sig"))


def load_block(kind: type[AnyBlock], path: Path) -> AnyBlock:
    """Parameters of any kind in a YAML file.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid; names the file.
    """
    values = read_yaml(path) or {}
    try:
        return block_from_mapping(kind, values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
