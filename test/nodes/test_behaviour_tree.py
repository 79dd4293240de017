"""The example tree: of nodes that Nav2 has, calling what we serve, and doing what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from tools.reference.topics import INTERFACES

TREE = Path(__file__).parents[2] / "config" / "nav2" / "navigate_when_localized.xml"
PORTS = {
    "BackUp": {"backup_dist", "backup_speed", "time_allowance", "server_name"},
    "ClearEntireCostmap": {"service_name", "server_timeout"},
    "ComputePathToPose": {"start", "use_start", "goal", "planner_id", "server_name", "path"},
    "FollowPath": {"path", "controller_id", "goal_checker_id", "server_name"},
    "PipelineSequence": set(),
    "RateController": {"hz"},
    "RecoveryNode": {"number_of_retries"},
    "ReinitializeGlobalLocalization": {"service_name", "server_timeout"},
    "RoundRobin": set(),
    "Spin": {"spin_dist", "time_allowance", "is_recovery", "server_name"},
    "Wait": {"wait_duration", "server_name", "server_timeout"},
    "Sequence": set(),
}
"""Of nav2_behavior_tree/nav2_tree_nodes.xml of navigation2 at f4108e5 (jazzy), and of BT.CPP."""
CHILDREN = {"RecoveryNode": 2, "RateController": 1}
"""That these nodes take; others take any number, or none."""
CONTROLS = {"Sequence", "PipelineSequence", "RoundRobin", *CHILDREN}


@pytest.fixture
def tree() -> Element:
    tree = ElementTree.parse(TREE).getroot()
    assert tree.attrib == {
        "BTCPP_format": "4",
        "main_tree_to_execute": "NavigateWhenLocalized",
    }
    (behaviour,) = tree
    assert (behaviour.tag, behaviour.attrib) == ("BehaviorTree", {"ID": "NavigateWhenLocalized"})
    (root,) = behaviour
    return root


def test_the_tree_is_of_nodes_and_ports_that_nav2_has(tree: Element) -> None:
    for node in tree.iter():
        assert node.tag in PORTS
        assert set(node.attrib) - {"name"} <= PORTS[node.tag], node.tag
        if node.tag in CHILDREN:
            assert len(node) == CHILDREN[node.tag]
        assert bool(len(node)) == (node.tag in CONTROLS)


def test_the_tree_calls_what_the_nodes_serve(tree: Element) -> None:
    served = {
        (interface.name.replace("~", f"/{interface.node}"), interface.type)
        for interface in INTERFACES
        if interface.direction in ("served", "action")
    }
    (wait,) = tree.iter("Wait")
    (reinitialize,) = tree.iter("ReinitializeGlobalLocalization")
    assert (wait.attrib["server_name"], "nav2_msgs/Wait") in served
    assert (reinitialize.attrib["service_name"], "std_srvs/Empty") in served


class Player:
    """Ticks a tree as Nav2 does; `act` is called for each leaf and says whether it succeeded."""

    def __init__(self, act: Callable[[Element], bool]) -> None:
        self._act = act
        self._next: dict[Element, int] = {}

    def run(self, node: Element) -> bool:
        match node.tag:
            case "Sequence" | "PipelineSequence" | "RateController":
                return all(self.run(child) for child in node)
            case "RecoveryNode":
                first, recovery = node
                for _ in range(int(node.attrib["number_of_retries"])):
                    if self.run(first):
                        return True
                    if not self.run(recovery):
                        return False
                return self.run(first)
            case "RoundRobin":
                turn = self._next.get(node, 0)
                self._next[node] = (turn + 1) % len(node)
                return self.run(node[turn])
        return self._act(node)


@pytest.mark.ros
def test_a_robot_turns_until_it_is_found_and_then_drives(
    tree: Element, start: Callable[..., Any]
) -> None:
    """The tree waits at the real node; two looks at a blank wall come before the third."""
    pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
    from action_msgs.msg import GoalStatus
    from builtin_interfaces.msg import Duration
    from nav2_msgs.action import Wait
    from nodes.observer import wait_for
    from rclpy.action import ActionClient
    from std_srvs.srv import Empty

    localizer = FakeLocalizer(lambda image: rejected())
    maps = FakeMaps(kitchen=localizer)
    harness = start(maps, map="/maps/kitchen", base_frame="", odom_frame="")
    harness.activate()
    (wait,) = tree.iter("Wait")
    server = wait.attrib["server_name"].replace("temporal_fusion", "relocalizer")
    client = ActionClient(harness.robot, Wait, server)
    done: list[str] = []

    def act(node: Element) -> bool:
        done.append(node.tag)
        harness.show_and_wait(float(len(done)))
        match node.tag:
            case "Wait":
                sent = client.send_goal_async(Wait.Goal(time=Duration(nanosec=200_000_000)))
                wait_for(sent.done, "the answer to the goal")
                result = sent.result().get_result_async()
                wait_for(result.done, "the result")
                return bool(result.result().status == GoalStatus.STATUS_SUCCEEDED)
            case "ReinitializeGlobalLocalization":
                name = node.attrib["service_name"]
                assert harness.call(Empty, name, Empty.Request()) is not None
            case "BackUp":
                localizer.answer = lambda image: localized(np.eye(4))
        return True

    assert Player(act).run(tree)
    look, again = "Wait", "ReinitializeGlobalLocalization"
    assert done == [
        *(look, "Spin", again),
        *(look, "Spin", again),
        *(look, "BackUp", again),
        *(look, "ComputePathToPose", "FollowPath"),
    ]
