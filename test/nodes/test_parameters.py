"""ROS parameters from pydantic fields, and the file that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from nodes.fake_localizer import FakeMaps
from pydantic import Field

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.parameter_blocks import Block

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
import rclpy
from nodes.fusion_harness import LoneHarness, PairHarness
from nodes.harness import Harness
from nodes.robot import Robot, flatten
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from dense_reloc_ros.nodes.node_configuration import MapConfiguration, RelocalizerConfiguration
from dense_reloc_ros.nodes.parameters import declare_parameters, fields, read_parameters

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[2] / "config" / "reloc.yaml"


class Inner(Block):
    rate: float = Field(2.5, gt=0, description="How often")
    sizes: tuple[int, ...] = (1, 2)


class Outer(Block):
    count: int = Field(3, ge=1, le=9, description="How many")
    floor: int = Field(0, ge=0)
    threshold: float | None = Field(None, ge=0, le=1, description="Unset: the map's")
    kind: Literal["big", "small"] = "big"
    inner: Inner = Inner()


@pytest.fixture
def context(ros_domain: int) -> Iterator[Context]:
    context = Context()
    context.init(domain_id=ros_domain)
    yield context
    context.try_shutdown()


def make_node(context: Context, **values: Any) -> Node:
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = rclpy.create_node("holder", context=context, parameter_overrides=overrides)
    declare_parameters(node, Outer, read_only={"kind"})
    return node


def test_defaults_descriptions_and_ranges(context: Context) -> None:
    node = make_node(context)
    assert read_parameters(node, Outer) == Outer()
    count = node.describe_parameter("count")
    assert count.description == "How many"
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 9)
    floor = node.describe_parameter("floor").integer_range[0]
    assert (floor.from_value, floor.to_value) == (0, 2**63 - 1)
    rate = node.describe_parameter("inner.rate")
    assert rate.description == "How often"
    assert rate.floating_point_range[0].from_value == 0.0
    assert rate.floating_point_range[0].to_value > 1e300
    assert node.describe_parameter("threshold").floating_point_range[0].to_value == 1.0
    assert node.describe_parameter("kind").additional_constraints == "one of: big, small"
    assert node.describe_parameter("kind").read_only
    assert node.get_parameter("inner.sizes").value == [1, 2]


def test_values_given_at_start(context: Context) -> None:
    node = make_node(context, **{"count": 9, "inner.sizes": [5], "threshold": 0.5})
    expected = Outer(count=9, threshold=0.5, inner=Inner(sizes=(5,)))
    assert read_parameters(node, Outer) == expected


def test_bad_values_at_start_are_refused(context: Context) -> None:
    with pytest.raises(InvalidParameterValueException, match="count"):
        make_node(context, count=10)
    with pytest.raises(InvalidParameterTypeException, match="count"):
        make_node(context, count="many")


def test_what_ranges_cannot_say_the_model_says(context: Context) -> None:
    node = make_node(context)
    for name, value in (("inner.rate", 0.0), ("kind", "odd"), ("threshold", 7.0)):
        with pytest.raises(ConfigurationError, match=f"parameter '{name}'"):
            read_parameters(node, Outer, [Parameter(name, value=value)])
    changed = read_parameters(node, Outer, [Parameter("inner.rate", value=1.0)])
    assert changed.inner.rate == 1.0
    assert read_parameters(node, Outer).inner.rate == 2.5


NODES = {"relocalizer": Harness, "temporal_fusion": PairHarness}


# `make parameters` brings the file up to date after a change of the configurations.
@pytest.mark.parametrize("name", NODES)
def test_parameter_file_lists_exactly_the_parameters_with_their_defaults(
    run: Callable[..., Robot], name: str
) -> None:
    node = run(NODES[name], FakeMaps()).node
    values = {name: parameter.value for name, parameter in node._parameters.items()}
    for own in ("use_sim_time", "start_type_description_service"):  # every node has these
        values.pop(own, None)
    for changed in {"transform_timeout", "max_rate"} & set(values):  # a harness may have others
        values[changed] = RelocalizerConfiguration.model_fields[changed].default
    listed = flatten(yaml.safe_load(CONFIG.read_text())[f"/**/{name}"]["ros__parameters"])
    assert listed == {name: value for name, value in values.items() if value is not None}
    for unset in (name for name, value in values.items() if value is None):
        assert f"# {unset.split('.')[-1]}:" in CONFIG.read_text()  # there, but unset


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_is_described(run: Callable[..., Robot], name: str) -> None:
    node = run(NODES[name], FakeMaps()).node
    for parameter in node._parameters:
        described = node.describe_parameter(parameter).description
        assert described or parameter == "use_sim_time", parameter


def test_every_parameter_is_commented() -> None:
    for before, line in pairwise(CONFIG.read_text().splitlines()):
        if line.startswith("    ") and not line.endswith(":") and "#" not in line and line.strip():
            assert before.strip().startswith("#"), f"no comment above {line}"


def test_alone_temporal_fusion_has_the_parameters_of_a_map_and_its_localizer(
    run: Callable[..., Robot],
) -> None:
    beside = run(PairHarness, FakeMaps())
    alone = run(LoneHarness, FakeMaps()).node
    added = {*alone._parameters} - {*beside.node._parameters}
    assert added == {
        name for model in (MapConfiguration, LocalizerConfiguration) for name, _ in fields(model)
    }
    assert added < {*beside.relocalizer._parameters}
