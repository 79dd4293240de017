"""The page of topics, services, messages and launch arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.reference.markdown import code, page, table
from tools.reference.topics import INTERFACES

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / "launch" / "reloc.launch.py"
INTRODUCTION = """\
Names that begin with `~` are below the node: `~/pose` of the relocalizer is `/relocalizer/pose`.
`relocalizer` and `temporal_fusion` are lifecycle nodes and have the services of one; they are not
listed. The bridges start with their launch arguments: see
[Loop closure](../guides/loop_closure.md).
"""


def interfaces_page() -> str:
    """Topics and services by node, message files, launch arguments."""
    nodes = dict.fromkeys(interface.node for interface in INTERFACES)
    parts = [part for node in nodes for part in of_node(node)]
    return page(
        "Topics, services, messages, launch",
        INTRODUCTION,
        *parts,
        "## Launch arguments of `reloc.launch.py`",
        table(["argument", "default", "meaning"], launch_arguments()),
        "## Messages, services and actions",
        *(
            definition(path)
            for kind in ("msg", "srv", "action")
            for path in sorted((ROOT / kind).iterdir())
        ),
    )


def of_node(node: str) -> Iterator[str]:
    """The tables of one node."""
    yield f"## Node `{node}`"
    for direction, heading in (
        ("published", "published topic"),
        ("subscribed", "subscribed topic"),
        ("served", "service"),
        ("action", "action"),
    ):
        rows = [
            (code(interface.name), code(interface.type), interface.content)
            for interface in INTERFACES
            if (interface.node, interface.direction) == (node, direction)
        ]
        if rows:
            yield table([heading, "type", "content"], rows)


def launch_arguments() -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of each argument of the launch file."""
    for node in ast.walk(ast.parse(LAUNCH_FILE.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "DeclareLaunchArgument":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            default = default_text(given["default_value"])
            yield (
                code(ast.literal_eval(node.args[0])),
                code(default) if default else "none",
                ast.literal_eval(given["description"]),
            )


def default_text(default: ast.expr) -> str:
    """A default as it stands in the code, or the path in the package that is joined there."""
    if isinstance(default, ast.Constant):
        return str(default.value)
    parts = [node.value for node in ast.walk(default) if isinstance(node, ast.Constant)]
    return "/".join(["config", *parts])


def definition(path: Path) -> str:
    """The text of a message, a service or an action."""
    return f"### `{path.name}`\n\n```text\n{path.read_text().rstrip()}\n```"
