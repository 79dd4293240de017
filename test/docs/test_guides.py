"""What the guides name is there: launch arguments, files, topics and parameters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tools.reference.topics import INTERFACES

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if path.parent.name in ("guides", "concepts", "getting_started")
)
PARAMETERS_OF_OTHERS = {"image_transport"}
"""That ROS's own tools take by `name:=value`."""


def launch_arguments() -> set[str]:
    """Of all launch files: the names that are declared, in whatever way."""
    return {
        node.value
        for file in (ROOT / "launch").glob("*.launch.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_launch_arguments_exist(page: Path) -> None:
    named = set(re.findall(r"(?<![\w/])([a-z_]+):=", page.read_text()))
    assert named - PARAMETERS_OF_OTHERS <= launch_arguments()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_exist(page: Path) -> None:
    text = page.read_text()
    pattern = r"[\s`]((?:config|launch|tools|examples|msg|srv)/[\w/]+\.\w+)"
    missing = [name for name in re.findall(pattern, text) if not (ROOT / name).exists()]
    assert not missing
    launched = re.findall(r"dense_reloc_ros (\w+\.launch\.py)", text)
    assert all((ROOT / "launch" / name).exists() for name in launched)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_topics_and_services_exist(page: Path) -> None:
    known = {i.name.replace("~", f"/{i.node}") for i in INTERFACES}
    named = re.findall(r"(/(?:relocalizer|temporal_fusion)/[a-z_]+)\b", page.read_text())
    assert set(named) <= known
    below = {i.name for i in INTERFACES if i.name.startswith("~")} | {"~/transition_event"}
    assert set(re.findall(r"`(~/[a-z_]+)`", page.read_text())) <= below
