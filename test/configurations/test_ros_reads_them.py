"""ROS reads the parameter files as YAML does, though its parser knows less."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from configurations.parameter_files import ROOT, flat, nodes_in

FILES = [
    ROOT / "config" / name
    for name in ("reloc.yaml", "nav2/nav2.yaml", "robot_localization/ekf.yaml")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_there_are_no_aliases(path: Path) -> None:
    tokens = yaml.scan(path.read_text())
    assert not [t for t in tokens if isinstance(t, (yaml.AliasToken, yaml.AnchorToken))]


@pytest.mark.ros
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nodes_get_the_values_that_are_written(path: Path) -> None:
    """In a namespace, too."""
    pytest.importorskip("rclpy", reason="ROS is not installed")
    from rclpy.context import Context
    from rclpy.node import Node

    context = Context()
    context.init(args=["--ros-args", "--params-file", str(path)])
    options = {"automatically_declare_parameters_from_overrides": True}
    try:
        for name, parameters in nodes_in(path).items():
            expected = dict(flat(parameters))
            node = Node(name, namespace="robot1", context=context, **options)
            found = {name: node.get_parameter(name).value for name in expected}
            node.destroy_node()
            arrays = {name for name, value in expected.items() if isinstance(value, list)}
            assert {n: list(v) if n in arrays else v for n, v in found.items()} == expected
    finally:
        context.try_shutdown()
