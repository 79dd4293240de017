"""Parameter files of nodes that are not here, held against what their packages document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def nodes_in(path: Path) -> dict[str, dict[str, Any]]:
    """The parameters of each node by its name; every block must be for all namespaces."""
    content = yaml.safe_load(path.read_text())
    assert all(set(block) == {"ros__parameters"} for block in content.values())
    assert all(name.startswith("/**/") for name in content)
    return {name.removeprefix("/**/"): block["ros__parameters"] for name, block in content.items()}


def flat(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names as nodes declare them, with dots, and their values."""
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def kind(value: Any) -> str:
    """The type of a value as ROS tells them apart: an integer is no double."""
    if isinstance(value, list):
        kinds = {kind(element) for element in value}
        assert len(kinds) == 1, value
        return f"{kinds.pop()}[]"
    return {bool: "bool", int: "int", float: "double", str: "string"}[type(value)]


def table(text: str) -> dict[str, str]:
    """Names with their types of lines as `double: one two three`."""
    rows = (line.split(": ") for line in text.strip().splitlines())
    return {name: of for of, names in rows for name in names.split()}
