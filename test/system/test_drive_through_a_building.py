"""A robot drives through a rendered building, and every message of the nodes is held to the truth.

It starts without knowing where it is, is found, goes through a dark corridor to the other room,
is carried back into the first one, and is given another map. The nodes are processes of their own,
started by the launch file. `pytest -s` shows the numbers.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from nodes.poses import matrix
from system.building_drive import DARK, DRIFT, GYRO_BIAS, drive_through
from system.building_maps import map_building, map_west_room

from dense_reloc_ros.evaluation.metrics.trajectory_error import trajectory_error
from dense_reloc_ros.evaluation.replay.ros_processes import isolated_environment
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.constraint import MapConstraint
from dense_reloc_ros.loop_closure.pose_graph import close_trajectory
from dense_reloc_ros.rendering.building import random_building
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.stamps import NANOSECONDS

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from rclpy.context import Context
from system.driver import Driver
from system.judgement import (
    TRACKING,
    TRANSFORM_TOLERANCE,
    UNSURE,
    Judgement,
    median,
    stamp_of,
    worst,
)
from system.launched import launched

from dense_reloc_ros.msg import LocalizationState

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SEED = 1
WRONG_METRES, WRONG_DEGREES = 0.25, 10.0
TRACKED_METRES, TRACKED_DEGREES = 0.05, 1.0
FOUND_WITHIN = 3 * NANOSECONDS
UNSURE_AFTER = 1 * NANOSECONDS
"""The default of belief.unsure_after."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("building")


@pytest.fixture(scope="module")
def judgement(folder: Path) -> Judgement:
    """The drive, and all that was heard on it."""
    building = random_building(SEED)
    raycaster = Raycaster(*building.rooms)
    scene_map = map_building(folder, building, raycaster)
    other_map = map_west_room(folder, building, raycaster)
    raycaster = Raycaster(*building.relit(SEED).rooms)
    drive = drive_through(building, SEED)
    with pytest.MonkeyPatch.context() as patch:
        environment = isolated_environment(folder, largest_message=0)
        for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
            patch.setenv(name, environment[name])
        context = Context()
        context.init(domain_id=int(environment["ROS_DOMAIN_ID"]))
        with launched(scene_map, folder) as check, closing(Driver(context, check)) as driver:
            driver.connect()
            driver.play(drive, lambda index: drive.image(index, raycaster), other_map)
        context.try_shutdown()
    return Judgement(drive, driver.heard)


def say(text: str) -> None:
    """Shown by `pytest -s`."""
    print(f"\n    {text}", end="")  # noqa: T201


def test_every_image_is_answered_and_no_pose_is_wrong(judgement: Judgement) -> None:
    heard, drive = judgement.heard, judgement.drive
    assert [stamp_of(result) for result in heard.results] == drive.stamps[drive.images].tolist()
    for topic, messages in (heard.poses | heard.closures).items():
        placed = judgement.placed(messages)
        say(
            f"{topic}: {len(placed)} of {len(drive.images)} images, "
            f"median {text(median(placed))}, worst {text(worst(placed))}"
        )
        assert worst(placed)[0] < WRONG_METRES
        assert worst(placed)[1] < WRONG_DEGREES


def test_the_transform_is_right_whenever_the_robot_is_tracked(judgement: Judgement) -> None:
    placed = judgement.by_transform(TRACKING)
    translation, rotation = worst(placed)
    say(
        f"map -> odom while TRACKING: {len(placed)} transforms, "
        f"median {text(median(placed))}, worst {text(worst(placed))}"
    )
    assert len(placed) > 0.7 * len(judgement.heard.transforms)
    assert translation < TRACKED_METRES
    assert rotation < TRACKED_DEGREES


def test_what_is_said_in_doubt_is_not_wrong_unless_the_robot_was_carried(
    judgement: Judgement,
) -> None:
    doubted = [p for p in judgement.by_transform(UNSURE) if not judgement.is_carried(p.stamp)]
    predicted = judgement.placed(judgement.heard.predicted)
    predicted = [one for one in predicted if not judgement.is_carried(one.stamp)]
    say(f"map -> odom while UNSURE: worst {text(worst(doubted))}")
    for placed in (doubted, predicted):
        assert worst(placed)[0] < WRONG_METRES
        assert worst(placed)[1] < WRONG_DEGREES


def test_the_robot_is_found_within_three_seconds_of_clear_images(judgement: Judgement) -> None:
    lost_at = {
        "the start": int(judgement.drive.stamps[0]),
        "being kidnapped": judgement.kidnapped,
        "another map": judgement.switched,
    }
    for what, stamp in lost_at.items():
        clear = judgement.first_clear_image(stamp)
        took = judgement.found_after(stamp) - clear
        say(f"found after {what}: {took / NANOSECONDS:.2f} s after the first clear image")
        assert 0 <= took <= FOUND_WITHIN


def test_states_follow_what_happens_and_nothing_else(judgement: Judgement) -> None:
    events = [state.event for state in judgement.heard.states if state.event]
    carried = [LocalizationState.KIDNAPPED]
    if LocalizationState.KIDNAPPED not in events:
        carried = [LocalizationState.BECAME_LOST, LocalizationState.RELOCALIZED]
    exchanged = [LocalizationState.BECAME_LOST, LocalizationState.RELOCALIZED]
    assert events == [LocalizationState.RELOCALIZED, *carried, *exchanged]
    lost = [s.reason for s in judgement.heard.states if s.event == LocalizationState.BECAME_LOST]
    assert lost[-1] == "the map was exchanged"


def test_the_dark_corridor_is_silent_and_lets_the_covariance_grow(judgement: Judgement) -> None:
    begin, end = dark_stretch(judgement)
    for messages in judgement.heard.poses.values():
        assert not [m for m in messages if begin <= stamp_of(m) < end]
    predicted = [p for p in judgement.placed(judgement.heard.predicted) if begin <= p.stamp < end]
    deviations = np.array([one.deviation for one in predicted])
    states = [judgement.state_at(one.stamp) for one in predicted]
    unsure_from = next(p.stamp for p, state in zip(predicted, states, strict=True) if state < 2)
    say(
        f"in the dark for {(end - begin) / NANOSECONDS:.1f} s: expected error of position "
        f"{100 * deviations[0]:.1f} -> {100 * deviations[-1]:.1f} cm, true one "
        f"{100 * predicted[-1].error.translation:.1f} cm; UNSURE after "
        f"{(unsure_from - begin) / NANOSECONDS:.2f} s"
    )
    assert (np.diff(deviations) > 0).all()
    assert deviations[-1] > 5 * deviations[0]
    assert all(one.error.translation < 3 * one.deviation for one in predicted)
    assert 0 < unsure_from - begin <= UNSURE_AFTER + NANOSECONDS // 10
    assert all(
        state == (TRACKING if one.stamp < unsure_from else UNSURE)
        for one, state in zip(predicted, states, strict=True)
    )


def test_no_transform_is_said_before_the_robot_is_found(judgement: Judgement) -> None:
    """At the start, and from the moment on at which the service has answered with another map."""
    stamps = [stamp_of(one) - TRANSFORM_TOLERANCE for one in judgement.heard.transforms]
    for begin in (int(judgement.drive.stamps[0]), judgement.switched):
        found = judgement.found_after(begin)
        assert found in stamps
        assert not [stamp for stamp in stamps if begin <= stamp < found]


def test_constraints_close_the_pose_graph(judgement: Judgement) -> None:
    """That of the drive until the robot is carried, which no odometry notices."""
    pytest.importorskip("gtsam")
    drive, constraints = judgement.drive, []
    for message in judgement.heard.closures["temporal_fusion/loop_closure"]:
        stamp = stamp_of(message)
        sent = drive.T_odom_base[drive.at(stamp)]
        np.testing.assert_allclose(matrix(message.odometry), sent, atol=1e-9)
        if stamp < judgement.kidnapped:
            covariance = message.pose.covariance.reshape(6, 6)
            pose = matrix(message.pose.pose)
            constraints.append(MapConstraint(stamp, pose, covariance, message.confidence))
    moments = slice(0, drive.kidnapped)
    odometry = Trajectory(drive.stamps[moments], drive.T_odom_base[moments])
    truth = drive.T_map_base[moments]
    closed = close_trajectory(odometry, constraints, OdometryNoise(DRIFT, DRIFT, GYRO_BIAS))
    before = trajectory_error(truth, truth[0] @ odometry.poses).ate_m
    after = trajectory_error(truth, closed.poses).ate_m
    say(f"pose graph of {len(constraints)} constraints: {100 * before:.1f} -> {100 * after:.1f} cm")
    assert after < before / 5
    assert after < 0.02


def text(error: tuple[float, float]) -> str:
    """An error in metres and degrees."""
    return f"{100 * error[0]:.1f} cm {error[1]:.2f}°"


def dark_stretch(judgement: Judgement) -> tuple[int, int]:
    """The first moment in the dark corridor, and the first one after it."""
    drive = judgement.drive
    changes = np.flatnonzero(np.diff(drive.light == DARK))
    begin, end = (int(drive.stamps[change + 1]) for change in changes[-2:])
    return begin, end
