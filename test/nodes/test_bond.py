"""A lifecycle manager that holds a bond with the node sees whether it lives, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from lifecycle_msgs.msg import Transition
from nodes.harness import Harness, Start
from nodes.manager_side import ManagerSide
from nodes.observer import wait_for

from dense_reloc_ros.nodes import bond

pytestmark = pytest.mark.ros
Bonded = Callable[[], ManagerSide]


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(np.eye(4)))


@pytest.fixture
def harness(start: Start, localizer: FakeLocalizer) -> Harness:
    maps = FakeMaps(kitchen=localizer)
    return start(maps, map="/maps/kitchen", base_frame="", odom_frame="")


@pytest.fixture
def bonded(harness: Harness) -> Iterator[Callable[[], ManagerSide]]:
    """Holds a bond with the node, which is active, as a manager that comes."""
    sides: list[ManagerSide] = []

    def begin() -> ManagerSide:
        sides.append(ManagerSide(harness.robot, "bond", "relocalizer"))
        wait_for(lambda: sides[-1].is_formed, "the bond")
        return sides[-1]

    yield begin
    for side in sides:
        side.die()


def test_each_activation_begins_a_bond_of_its_own_and_ends_it(
    harness: Harness, bonded: Bonded
) -> None:
    seen = []
    assert harness.change_state(Transition.TRANSITION_CONFIGURE)
    for _ in range(2):
        assert harness.change_state(Transition.TRANSITION_ACTIVATE)
        side = bonded()
        assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
        wait_for(lambda side=side: side.farewells == side.instances, "the farewell")
        seen += side.instances
        side.die()
    assert len(set(seen)) == len(seen) == 2


def test_the_heart_beats_while_a_frame_takes_long(
    harness: Harness, bonded: Bonded, localizer: FakeLocalizer
) -> None:
    harness.activate()
    side = bonded()
    localizer.gate.clear()
    harness.show(1.0)
    wait_for(lambda: localizer.images, "the image in work")
    heard = side.count
    wait_for(lambda: side.count > heard + 10, "heartbeats")
    assert not side.farewells
    localizer.gate.set()
    assert harness.wait_for_result(1.0).status == 0


def test_the_node_outlives_its_manager(
    harness: Harness, bonded: Bonded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nav2's nodes go on, too; another manager begins with another activation."""
    monkeypatch.setattr(bond, "TIMEOUT_SECONDS", 1.0)
    harness.activate()
    bonded().die()
    wait_for(lambda: not harness.robot.count_publishers("bond"), "the end of the bond")
    assert harness.relocalizer.state == "active"
    assert harness.show_and_wait(1.0).status == 0
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    bonded()


def test_a_manager_that_leaves_is_answered(harness: Harness, bonded: Bonded) -> None:
    harness.activate()
    side = bonded()
    side.leave()
    wait_for(lambda: side.farewells == side.instances, "the farewell")
    assert harness.relocalizer.state == "active"


def test_without_a_manager_the_bond_ends(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bond, "CONNECT_SECONDS", 1.0)
    harness.activate()
    wait_for(lambda: harness.robot.count_publishers("bond"), "the bond")
    wait_for(lambda: not harness.robot.count_publishers("bond"), "its end")
    assert harness.show_and_wait(1.0).status == 0


def test_there_is_none_where_it_is_switched_off(start: Start, localizer: FakeLocalizer) -> None:
    maps = FakeMaps(kitchen=localizer)
    parameters = {"base_frame": "", "odom_frame": "", "bond_heartbeat_period": 0.0}
    harness = start(maps, map="/maps/kitchen", **parameters)
    harness.activate()
    assert harness.show_and_wait(1.0).status == 0
    assert harness.robot.count_publishers("bond") == 0
