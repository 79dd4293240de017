"""Every service and transition, legal or not, in every state: there is an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.robot import camera_info, picture
from rclpy.parameter import Parameter

from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.srv import ChooseMap, LoadMap, Relocalize, RelocalizeBatch

pytestmark = pytest.mark.ros

LEGAL = {
    ("unconfigured", "configure"): "inactive",
    ("unconfigured", "shutdown"): "finalized",
    ("inactive", "activate"): "active",
    ("inactive", "cleanup"): "unconfigured",
    ("inactive", "shutdown"): "finalized",
    ("active", "deactivate"): "inactive",
    ("active", "shutdown"): "finalized",
}
"""The lifecycle of ROS 2 (design.ros2.org/articles/node_lifecycle.html)."""
IDS = {
    1: ("configure", None),
    2: ("cleanup", None),
    3: ("activate", None),
    4: ("deactivate", None),
    5: ("shutdown", "unconfigured"),
    6: ("shutdown", "inactive"),
    7: ("shutdown", "active"),
}
"""Transitions by number (lifecycle_msgs/msg/Transition), with the state they begin in."""
WAYS = {
    "unconfigured": [],
    "inactive": ["configure"],
    "active": ["configure", "activate"],
    "finalized": ["shutdown"],
}
NO_IDS = (0, 8, 10, 11, 12, 30, 60, 62, 97, 255)
LABELS = ("configure", "cleanup", "activate", "deactivate", "shutdown", "transition_error", "fly")


@pytest.fixture
def make(start: Start) -> Any:
    """A node in a state."""

    def make(state: str) -> Harness:
        localizer = FakeLocalizer(lambda image: localized(np.eye(4)))
        maps = FakeMaps(kitchen=localizer)
        harness = start(maps, map="kitchen", base_frame="", odom_frame="", autostart=False)
        go(harness, state)
        return harness

    return make


def go(harness: Harness, state: str) -> None:
    """Brings a node that is not finalized to a state."""
    node = harness.relocalizer
    if node.state == state:
        return
    if node.state == "active":
        node.trigger_deactivate()
    if node.state == "inactive":
        node.trigger_cleanup()
    for name in WAYS[state]:
        getattr(node, f"trigger_{name}")()
    assert node.state == state


def change_state(harness: Harness, transition: int, label: str = "") -> bool:
    request = ChangeState.Request(transition=Transition(id=transition, label=label))
    return bool(harness.call(ChangeState, "relocalizer/change_state", request).success)


def expect(harness: Harness, state: str, goal: str | None, transition: int, label: str) -> None:
    """Asks for a transition, by its number where it has no label."""
    went_well = change_state(harness, transition, label)
    asked = f"{label or transition} while {state}"
    assert went_well == (goal is not None), asked
    answer = harness.call(GetState, "relocalizer/get_state", GetState.Request())
    assert answer.current_state.label == harness.relocalizer.state == (goal or state), asked


@pytest.mark.parametrize("state", WAYS)
def test_transitions_that_do_not_shut_down(make: Any, state: str) -> None:
    harness = make(state)
    for number in (*IDS, *NO_IDS):
        name, begins = IDS.get(number, ("none", None))
        goal = LEGAL.get((state, name)) if begins in (None, state) else None
        if goal != "finalized":
            expect(harness, state, goal, number, "")
            go(harness, state)
    for label in LABELS:
        goal = LEGAL.get((state, label))
        if goal != "finalized":
            expect(harness, state, goal, 0, label)
            go(harness, state)


@pytest.mark.parametrize(("number", "state"), [(5, "unconfigured"), (6, "inactive"), (7, "active")])
@pytest.mark.parametrize("label", ["", "shutdown"])
def test_transitions_that_shut_down(make: Any, number: int, state: str, label: str) -> None:
    expect(make(state), state, "finalized", 0 if label else number, label)


def test_a_transition_that_is_not_possible_is_one_line(
    make: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = make("active")
    capfd.readouterr()
    assert not change_state(harness, 1)
    # What the test's own node says of endpoints that it discovers is another matter.
    lines = [line for line in capfd.readouterr().err.splitlines() if "[robot]" not in line]
    assert len(lines) == 1
    assert "no transition '1' while active; possible: deactivate (4), shutdown (7)" in lines[0]


def parameter(**values: Any) -> list[Any]:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


CALLS: list[tuple[str, Any, Any]] = [
    ("get_state", GetState, GetState.Request()),
    ("get_available_states", GetAvailableStates, GetAvailableStates.Request()),
    ("get_available_transitions", GetAvailableTransitions, GetAvailableTransitions.Request()),
    ("get_transition_graph", GetAvailableTransitions, GetAvailableTransitions.Request()),
    ("list_parameters", ListParameters, ListParameters.Request(depth=1, prefixes=["none"])),
    ("get_parameters", GetParameters, GetParameters.Request(names=["map", "none", ""])),
    ("get_parameter_types", GetParameterTypes, GetParameterTypes.Request(names=["none", "map"])),
    ("describe_parameters", DescribeParameters, DescribeParameters.Request(names=["none"])),
    ("set_parameters", SetParameters, SetParameters.Request(parameters=parameter(none=1))),
    ("set_parameters", SetParameters, SetParameters.Request(parameters=parameter(map=1))),
    ("set_parameters", SetParameters, SetParameters.Request()),
    (
        "set_parameters_atomically",
        SetParametersAtomically,
        SetParametersAtomically.Request(parameters=parameter(max_rate=-1.0, none=2)),
    ),
    ("load_map", LoadMap, LoadMap.Request(map_path="/maps/kitchen")),
    ("load_map", LoadMap, LoadMap.Request(map_path="/maps/ruin")),
    ("load_map", LoadMap, LoadMap.Request()),
    ("choose_map", ChooseMap, ChooseMap.Request()),
    ("choose_map", ChooseMap, ChooseMap.Request(maps_folder="/maps")),
    ("relocalize_batch", RelocalizeBatch, RelocalizeBatch.Request()),
    ("relocalize", Relocalize, Relocalize.Request()),
    (
        "relocalize",
        Relocalize,
        Relocalize.Request(image=image_to_message(picture()), camera_info=camera_info()),
    ),
]


@pytest.mark.parametrize("state", WAYS)
def test_services(make: Any, state: str) -> None:
    harness = make(state)
    for name, kind, request in CALLS:
        assert harness.call(kind, f"relocalizer/{name}", request) is not None
    assert harness.relocalizer.state == state
    loaded = harness.call(
        LoadMap, "relocalizer/load_map", LoadMap.Request(map_path="/maps/kitchen")
    )
    assert loaded.success == (state != "finalized")
    if state == "finalized":
        assert "was shut down" in loaded.message


def test_load_map_after_shutdown_of_a_node_that_starts_itself(start: Start) -> None:
    maps = FakeMaps(kitchen=FakeLocalizer(lambda image: localized(np.eye(4))))
    harness = start(maps, map="kitchen", autostart=True)
    wait_for(lambda: harness.relocalizer.state == "active", "the node to start itself")
    assert change_state(harness, 7)
    request = LoadMap.Request(map_path="/maps/kitchen")
    assert not harness.call(LoadMap, "relocalizer/load_map", request).success
    assert harness.relocalizer.state == "finalized"
    assert len(maps.asked) == 1


def test_what_a_service_raises_is_its_answer(
    make: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = make("active")

    def fail(*_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(harness.relocalizer.pipeline, "use", fail)
    request = LoadMap.Request(map_path="/maps/kitchen")
    answer = harness.call(LoadMap, "relocalizer/load_map", request)
    assert not answer.success
    assert "a mistake of ours" in answer.message
    assert "KeyError" in capfd.readouterr().err
    assert harness.show_and_wait(1.0).status == 0
