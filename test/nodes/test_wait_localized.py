"""Goals of ~/wait_localized and ~/nav2_wait_localized, as a behaviour tree sends them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from nodes.fake_fusion import fused, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav2_msgs.action import Wait as Nav2Wait
from nav2_msgs.srv import SetInitialPose
from nodes.fusion_harness import PairHarness
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME, Robot
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle

from dense_reloc_ros.action import WaitLocalized
from dense_reloc_ros.msg import LocalizationState

pytestmark = pytest.mark.ros

LOST, UNSURE, TRACKING = (getattr(LocalizationState, n) for n in ("LOST", "UNSURE", "TRACKING"))
SUCCEEDED, ABORTED, CANCELED = (
    getattr(GoalStatus, f"STATUS_{name}") for name in ("SUCCEEDED", "ABORTED", "CANCELED")
)
HERE = pose(1)


class Tree:
    """Sends goals, and keeps what is said about them."""

    def __init__(self, robot: Robot, kind: Any = WaitLocalized, name: str = "") -> None:
        self.kind = kind
        name = name or f"{robot.name}/wait_localized"
        self.client = ActionClient(robot.robot, kind, name)
        assert self.client.wait_for_server(30.0)
        self.feedback: list[Any] = []

    def send(self, **goal: Any) -> ClientGoalHandle:
        sent = self.client.send_goal_async(
            self.kind.Goal(**goal), lambda message: self.feedback.append(message.feedback)
        )
        wait_for(sent.done, "the answer to the goal")
        return sent.result()

    def result(self, handle: ClientGoalHandle) -> tuple[int, Any]:
        asked = handle.get_result_async()
        wait_for(asked.done, "the result")
        return asked.result().status, asked.result().result


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: with_features(localized(HERE)))


@pytest.fixture
def harness(start: Callable[..., Harness], localizer: FakeLocalizer) -> Harness:
    harness = start(
        FakeMaps(kitchen=localizer), map="/maps/kitchen", base_frame="", transform_timeout=9.0
    )
    harness.activate()
    return harness


def drive(robot: Robot, *seconds: float) -> None:
    """Images with odometry of their times, of a robot that stands still."""
    for time in seconds:
        robot.move("odom", CAMERA_FRAME, time, np.eye(4))
        robot.node.transforms.lookup("odom", CAMERA_FRAME, round(time * 1e9), timeout=30)
        robot.show_and_wait(time)


def unsure(confidence: float) -> Any:
    found = localized(HERE)
    assert found.estimate is not None
    return replace(found, estimate=replace(found.estimate, confidence=confidence))


def test_a_goal_succeeds_when_the_robot_is_found(harness: Harness) -> None:
    tree = Tree(harness)
    goal = tree.send()
    assert goal.accepted
    wait_for(lambda: tree.feedback, "feedback")
    assert [(one.state, one.reason) for one in tree.feedback] == [(LOST, "no pose yet")]
    drive(harness, 1.0)
    status, result = tree.result(goal)
    assert (status, result.success, result.reason) == (SUCCEEDED, True, "")
    assert (result.state, result.map_revision) == (TRACKING, "revision 0")
    assert (result.pose.header.frame_id, result.pose.header.stamp.sec) == ("map", 1)
    np.testing.assert_allclose(matrix(result.pose.pose.pose), HERE, atol=1e-9)
    assert result.confidence == pytest.approx(0.999)


def test_a_robot_that_is_tracked_is_not_waited_for(harness: Harness) -> None:
    drive(harness, 1.0)
    tree = Tree(harness)
    assert tree.result(tree.send(timeout=Duration(sec=60)))[0] == SUCCEEDED
    assert tree.feedback == []


def test_a_goal_is_aborted_when_its_time_is_over(harness: Harness) -> None:
    tree = Tree(harness)
    status, result = tree.result(tree.send(timeout=Duration(nanosec=300_000_000)))
    assert (status, result.success) == (ABORTED, False)
    assert result.reason == "not within 0.3 s: LOST: no pose yet"
    assert (result.state, result.pose) == (LOST, PoseWithCovarianceStamped())


def test_a_confidence_that_the_last_pose_must_have(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    localizer.answer = lambda image: unsure(0.96)
    drive(harness, 1.0, 1.2)
    tree = Tree(harness)
    goal = tree.send(least_confidence=0.98)
    wait_for(lambda: tree.feedback, "feedback")
    assert tree.feedback[0].state == TRACKING
    localizer.answer = lambda image: unsure(0.985)
    drive(harness, 1.4)
    status, result = tree.result(goal)
    assert (status, result.confidence) == (SUCCEEDED, pytest.approx(0.985))


def test_forgetting_first_looks_everywhere(harness: Harness, localizer: FakeLocalizer) -> None:
    given = PoseWithCovarianceStamped()
    given.pose.pose.orientation.w = 1.0
    drive(harness, 1.0)
    harness.call(SetInitialPose, "relocalizer/set_initial_pose", SetInitialPose.Request(pose=given))
    tree = Tree(harness)
    goal = tree.send(forget_first=True)
    wait_for(lambda: tree.feedback, "feedback")
    (said,) = tree.feedback
    assert said.state == LOST
    assert said.reason == "a goal of wait_localized asked to look everywhere"
    drive(harness, 1.2)
    assert localizer.priors[-1] is None
    status, result = tree.result(goal)
    assert (status, result.pose.header.stamp.nanosec) == (SUCCEEDED, 200_000_000)


def test_a_goal_can_be_canceled_and_others_go_on(harness: Harness) -> None:
    tree = Tree(harness)
    goals = [tree.send() for _ in range(12)]
    canceled = goals[5].cancel_goal_async()
    wait_for(canceled.done, "the answer to the cancellation")
    status, result = tree.result(goals.pop(5))
    assert (status, result.reason) == (CANCELED, "canceled by the caller: LOST: no pose yet")
    drive(harness, 1.0)
    assert {tree.result(goal)[0] for goal in goals} == {SUCCEEDED}


@pytest.mark.parametrize("transition", ["DEACTIVATE", "ACTIVE_SHUTDOWN"])
def test_a_node_that_stops_aborts_its_goals(harness: Harness, transition: str) -> None:
    tree = Tree(harness)
    goals = [tree.send(), tree.send()]
    assert harness.change_state(getattr(Transition, f"TRANSITION_{transition}"))
    for goal in goals:
        status, result = tree.result(goal)
        assert (status, result.reason) == (ABORTED, "the node was deactivated")
    assert not tree.send().accepted


def test_goals_that_are_rejected(harness: Harness) -> None:
    tree = Tree(harness)
    assert not tree.send(least_confidence=1.5).accepted
    assert not tree.send(least_confidence=float("nan")).accepted
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert not tree.send().accepted


def test_a_base_that_tf_does_not_know_is_not_localized(
    start: Callable[..., Harness], localizer: FakeLocalizer
) -> None:
    harness = start(FakeMaps(kitchen=localizer), map="/maps/kitchen", odom_frame="")
    harness.activate()
    harness.show_and_wait(1.0)
    tree = Tree(harness)
    _, result = tree.result(tree.send(timeout=Duration(nanosec=200_000_000)))
    assert result.reason == "not within 0.2 s: TF does not connect the base to the camera"


def test_the_wait_of_nav2_succeeds_or_is_aborted(harness: Harness) -> None:
    tree = Tree(harness, Nav2Wait, "relocalizer/nav2_wait_localized")
    status, result = tree.result(tree.send(time=Duration(sec=1)))
    assert status == ABORTED
    assert result.total_elapsed_time.sec + result.total_elapsed_time.nanosec * 1e-9 >= 1.0
    assert result.error_msg == "not within 1 s: LOST: no pose yet"
    left = [one.time_left.sec + one.time_left.nanosec * 1e-9 for one in tree.feedback]
    assert left == sorted(left, reverse=True)
    assert 0 <= left[-1] < left[0] <= 1.0
    goal = tree.send(time=Duration(sec=60))
    drive(harness, 1.0)
    status, result = tree.result(goal)
    assert (status, result.error_msg) == (SUCCEEDED, "")


def test_the_fusion_waits_for_what_it_believes_itself(
    run: Callable[..., PairHarness], localizer: FakeLocalizer
) -> None:
    harness = run(PairHarness, FakeMaps(kitchen=localizer), base_frame="")
    harness.activate()
    tree, other = Tree(harness), Tree(harness, name="relocalizer/wait_localized")
    harness.fusion.answer = lambda frame: fused(rejected("off the track"), None)
    goal = tree.send()
    drive(harness, 1.0)
    assert other.result(other.send())[0] == SUCCEEDED
    assert goal.status in (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING)
    harness.fusion.answer = lambda frame: fused(localized(HERE), None)
    drive(harness, 1.2)
    status, result = tree.result(goal)
    assert (status, result.pose.header.stamp.nanosec) == (SUCCEEDED, 200_000_000)


def test_waiting_costs_no_time_of_the_processor(harness: Harness) -> None:
    """Of the executor: a wait is looked at ten times a second, not all the time."""
    tree = Tree(harness)
    goal = tree.send()
    spun = 0
    executor = harness.node.executor
    spin_once = executor.spin_once

    def count(*arguments: Any, **options: Any) -> None:
        nonlocal spun
        spun += 1
        spin_once(*arguments, **options)

    executor.spin_once = count
    status, _ = tree.result(tree.send(timeout=Duration(sec=1)))
    assert status == ABORTED
    assert 0 < spun < 200
    assert goal.status == GoalStatus.STATUS_ACCEPTED
