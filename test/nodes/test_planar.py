"""A robot on a floor: whatever is measured, what both nodes say of it is planar, over DDS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from nodes.fake_fusion import with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized
from scipy.spatial.transform import Rotation

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import PoseWithCovarianceStamped
from nodes.fusion_harness import PairHarness
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.poses import matrix
from nodes.robot import CAMERA_FRAME, Robot

from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.planar import Floor, on_floor, planar_pose
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

pytestmark = pytest.mark.ros

FLOOR = Floor(0.2, 0.03, np.radians(2.0))
PARAMETERS = {
    "planar": True,
    "floor.height": FLOOR.height,
    "floor.deviation_m": FLOOR.deviation_m,
    "floor.deviation_deg": 2.0,
    "transform_timeout": 9.0,
}
T_BASE_CAMERA = rigid(
    Rotation.from_euler("xyz", [-110.0, 0.0, -90.0], degrees=True).as_matrix(),
    np.array([0.3, 0.05, 1.2]),
)
T_MAP_BASE = planar_pose((2.0, 3.0, 0.7), 0.2)
T_ODOM_BASE = planar_pose((-1.0, 0.5, 0.2), 0.0)
LIFTED = rigid(
    Rotation.from_euler("xyz", [0.03, -0.05, 0.7]).as_matrix(), np.array([2.05, 2.96, 0.28])
)
"""The base as it is measured: 8 cm too high, and tilted by 3 degrees."""
FACTOR = np.random.default_rng(4).normal(size=(6, 6)) * np.array([[0.05] * 3 + [0.03] * 3]).T
COVARIANCE = FACTOR @ FACTOR.T / 6 + np.diag(np.square([0.02] * 3 + [0.01] * 3))


@pytest.fixture
def localizer() -> FakeLocalizer:
    measured = localized(LIFTED @ T_BASE_CAMERA, COVARIANCE)
    return FakeLocalizer(lambda image: with_features(measured))


class Fusing(PairHarness):
    """A relocalizer that knows of no floor, and a real fusion that does."""

    def _make_fusion(self, localizer: Localizer, configuration: TemporalConfiguration) -> Any:
        return TemporalLocalizer(localizer, configuration)


@pytest.fixture(params=["relocalizer", "temporal_fusion"])
def robot(request: Any, run: Callable[..., Any], localizer: FakeLocalizer) -> Robot:
    """On the floor, with odometry; one of the two nodes is listened to."""
    maps = FakeMaps(kitchen=localizer)
    if request.param == "relocalizer":
        robot = run(partial(Harness, map="/maps/kitchen"), maps, **PARAMETERS)
    else:
        robot = run(Fusing, maps, **PARAMETERS)
    robot.activate()
    robot.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    return robot


def drive(robot: Robot, seconds: float, T_odom_base: Any = T_ODOM_BASE) -> Any:
    """The result of an image with the odometry of its time, which the node knows by then."""
    robot.move("odom", "base_link", seconds, T_odom_base)
    robot.node.transforms.lookup("odom", CAMERA_FRAME, round(seconds * 1e9), timeout=30)
    return robot.show_and_wait(seconds)


def test_pose_and_covariance_are_those_of_the_floor(robot: Robot) -> None:
    closures: list[LoopClosure] = []
    robot.collect(LoopClosure, f"{robot.name}/loop_closure", closures)
    wait_for(lambda: robot.node.count_subscribers(f"{robot.name}/loop_closure"), "an audience")
    result = drive(robot, 5.0)
    measured = base_pose(LIFTED @ T_BASE_CAMERA, COVARIANCE, inverse(T_BASE_CAMERA))
    expected = on_floor(*measured, FLOOR)
    assert result.status == result.LOCALIZED
    base = matrix(result.pose.pose)
    np.testing.assert_allclose(base, expected.T_map_base, atol=1e-9)
    np.testing.assert_allclose(
        np.array(result.pose.covariance).reshape(6, 6), expected.covariance, atol=1e-12
    )
    np.testing.assert_allclose(matrix(result.camera_pose.pose), base @ T_BASE_CAMERA, atol=1e-9)
    assert robot.wait_for_pose(5.0).pose == result.pose
    closure = wait_for(lambda: closures and closures[0], "a constraint")
    assert closure.pose == result.pose
    np.testing.assert_allclose(
        np.array(closure.information).reshape(6, 6) @ expected.covariance, np.eye(6), atol=1e-6
    )


def test_the_transform_has_x_y_and_yaw_only(robot: Robot) -> None:
    """Also where the odometry tilts and rises: roll and pitch stay in it, z does not."""
    base = matrix(drive(robot, 5.0).pose.pose)
    first = matrix(wait_for(lambda: robot.transforms, "a transform")[-1].transform)
    np.testing.assert_allclose(first @ T_ODOM_BASE, base, atol=1e-9)
    np.testing.assert_allclose(first[2], [0, 0, 1, 0.2], atol=1e-12)

    tilted = T_ODOM_BASE @ rigid(
        Rotation.from_euler("xy", [0.02, -0.01]).as_matrix(), np.array([0.0, 0.0, 0.07])
    )
    base = matrix(drive(robot, 5.2, tilted).pose.pose)
    said = wait_for(
        lambda: [t for t in robot.transforms if not np.allclose(matrix(t.transform), first)],
        "another transform",
    )
    second = matrix(said[-1].transform)
    np.testing.assert_allclose(second[2], [0, 0, 1, 0.13], atol=1e-12)
    np.testing.assert_allclose((second @ tilted)[:3, 3], base[:3, 3], atol=1e-9)


def test_a_pose_off_the_floor_is_not_published(robot: Robot, localizer: FakeLocalizer) -> None:
    lifted = LIFTED.copy()
    lifted[2, 3] = 1.2
    localizer.answer = lambda image: with_features(localized(lifted @ T_BASE_CAMERA, COVARIANCE))
    result = drive(robot, 5.0)
    assert result.status == result.REJECTED
    assert result.reason.startswith("the pose contradicts the floor: it is +1.00 m off its height")
    robot.wait_for_diagnostic("poses published", "0")
    assert not robot.transforms


def test_the_predicted_pose_stays_on_the_floor(
    run: Callable[..., Any], localizer: FakeLocalizer
) -> None:
    robot = run(Fusing, FakeMaps(kitchen=localizer), **PARAMETERS)
    robot.activate()
    robot.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    predicted: list[PoseWithCovarianceStamped] = []
    robot.collect(PoseWithCovarianceStamped, "temporal_fusion/predicted_pose", predicted)
    wait_for(lambda: robot.node.count_subscribers("temporal_fusion/predicted_pose"), "an audience")
    drive(robot, 5.0)
    moved = T_ODOM_BASE @ planar_pose((1.0, 0.0, 0.3), 0.0)
    robot.move("odom", "base_link", 6.0, moved)
    last = wait_for(lambda: [p for p in predicted if p.header.stamp.sec == 6], "a prediction")[-1]
    np.testing.assert_allclose(matrix(last.pose.pose)[2], [0, 0, 1, 0.2], atol=1e-9)
    covariance = np.array(last.pose.covariance).reshape(6, 6)
    assert covariance[2, 2] == pytest.approx(FLOOR.deviation_m**2)
    assert covariance[0, 0] > 0.03**2  # 3% of a metre of way
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_localizer_is_told_which_way_is_up(
    run: Callable[..., Any], localizer: FakeLocalizer
) -> None:
    robot = run(partial(Harness, map="/maps/kitchen"), FakeMaps(kitchen=localizer), **PARAMETERS)
    robot.activate()
    robot.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    drive(robot, 5.0)
    np.testing.assert_allclose(localizer.ups[-1], T_BASE_CAMERA[2, :3], atol=1e-9)


@pytest.mark.parametrize("planar", [True, False])
def test_where_the_camera_stands_must_be_known(
    run: Callable[..., Any], localizer: FakeLocalizer, planar: bool
) -> None:
    parameters = {"planar": planar, "odom_frame": "", "transform_timeout": 0.0}
    robot = run(partial(Harness, map="/maps/kitchen"), FakeMaps(kitchen=localizer), **parameters)
    robot.activate()
    result = robot.show_and_wait(1.0)
    reason = "nothing on TF says how the camera stands over the floor" if planar else ""
    assert result.reason == reason


def test_a_camera_without_a_base_stands_on_no_floor(
    run: Callable[..., Any], localizer: FakeLocalizer
) -> None:
    robot = run(partial(Harness, map="/maps/kitchen"), FakeMaps(kitchen=localizer), planar=True)
    refused = robot.set_parameters(base_frame="")
    assert not refused.successful
    assert refused.reason == "planar needs base_frame: the camera itself stands on no floor"
