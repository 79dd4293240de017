"""Diagnostics and log name what is missing and the remedy, as long as it is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from diagnostic_msgs.msg import DiagnosticStatus
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.robot import CAMERA_FRAME, camera_info, picture, stamp
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.nodes import camera_input
from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.srv import Relocalize

pytestmark = pytest.mark.ros


def started(start: Start, **parameters: Any) -> Harness:
    localizer = FakeLocalizer(lambda image: localized(np.eye(4)))
    given = {"transform_timeout": 0.05, **parameters}
    harness = start(FakeMaps(kitchen=localizer), map="kitchen", **given)
    harness.activate()
    return harness


def diagnostic(harness: Harness, text: str) -> DiagnosticStatus:
    """Diagnostics whose summary contains a text, from now on."""
    harness.diagnostics.clear()

    def find() -> DiagnosticStatus | None:
        said = (array.status[0] for array in list(harness.diagnostics))
        return next((status for status in said if text in status.message), None)

    return wait_for(find, f"diagnostics with '{text}'")


def warnings(capfd: pytest.CaptureFixture[str], text: str) -> list[str]:
    return [
        line for line in capfd.readouterr().err.splitlines() if text in line and "[WARN]" in line
    ]


def test_no_tf_at_all_is_a_warning_before_and_after_the_first_image(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = started(start)
    harness.robot.destroy_publisher(harness.tf)
    harness.robot.destroy_publisher(harness.tf_static)
    reason = "nobody publishes /tf or /tf_static: start robot_state_publisher"
    harness.show_and_wait(1.0)
    status = diagnostic(harness, f"localized, but {reason}")
    assert status.level == DiagnosticStatus.WARN
    assert {value.key: value.value for value in status.values}["poses published"] == "0"
    assert len(wait_for(lambda: warnings(capfd, f"output: {reason}"), "the warning")) == 1


def test_tf_in_a_namespace_is_named(start: Start) -> None:
    harness = started(start)
    harness.robot.destroy_publisher(harness.tf)
    harness.robot.destroy_publisher(harness.tf_static)
    harness.robot.create_publisher(TFMessage, "/robot1/tf", 10)
    harness.show_and_wait(1.0)
    diagnostic(harness, "nobody publishes /tf, but there is /robot1/tf: remap /tf and /tf_static")


def test_a_base_that_tf_does_not_know_is_named_until_it_is_known(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = started(start, odom_frame="")
    for seconds in (1.0, 2.0, 3.0):
        harness.show_and_wait(seconds)
    status = diagnostic(harness, "localized, but no pose is published: ")
    assert status.level == DiagnosticStatus.WARN
    assert "'base_link'" in status.message or f"'{CAMERA_FRAME}'" in status.message
    assert len(warnings(capfd, "pose of the base: ")) == 1
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))

    def placed() -> bool:
        placed.seconds += 1.0
        return bool(harness.show_and_wait(placed.seconds).base_frame_id)

    placed.seconds = 3.0
    wait_for(placed, "a pose of the base")
    status = diagnostic(harness, "localized")
    wait_for(lambda: diagnostic(harness, "localized").message == "localized", "all to be well")
    counts = {value.key: value.value for value in diagnostic(harness, "localized").values}
    assert int(counts["poses published"]) >= 1
    assert int(counts["transforms published"]) >= 1


def test_an_empty_frame_id_is_named(start: Start) -> None:
    harness = started(start, odom_frame="")
    info = camera_info()
    info.header.frame_id = ""
    harness.camera_infos.publish(info)
    message = image_to_message(picture())
    message.header.stamp = stamp(1.0)
    harness.images.publish(message)
    diagnostic(harness, "have an empty frame_id; set it in the camera's driver")


def test_an_image_topic_that_nobody_publishes_is_told_with_those_that_there_are(
    start: Start,
) -> None:
    harness = started(start)
    harness.robot.destroy_publisher(harness.images)
    other = harness.robot.create_publisher(Image, "/front/image_raw", 10)
    status = diagnostic(harness, "no images on /image: nobody publishes it, but there is ")
    assert status.level == DiagnosticStatus.WARN
    assert "/front/image_raw; remap image:=TOPIC" in status.message
    harness.robot.destroy_publisher(other)
    diagnostic(harness, "no images on /image: nobody publishes Image; is the camera's driver")


def test_a_silent_image_topic_is_told_with_its_publisher(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = started(start)
    diagnostic(harness, "no images on /image: its publisher robot is silent")
    diagnostic(harness, "no images on /image: its publisher robot is silent")
    assert len(warnings(capfd, "input: no images on /image")) == 1
    harness.show_and_wait(1.0)


def test_images_that_get_lost_are_told_from_their_camera_infos(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = started(start, base_frame="", odom_frame="")
    for k in range(40):
        if k % 4 == 0:
            harness.show_and_wait(1.0 + k)
        else:
            info = camera_info()
            info.header.stamp = stamp(1.0 + k)
            harness.camera_infos.publish(info)
    harness.wait_for_diagnostic("recent camera_infos without image", "22")
    said = wait_for(lambda: warnings(capfd, "camera_infos came without their image"), "a line")
    assert len(said) == 1
    assert "22 of 30 camera_infos" in said[0]
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in said[0]


def test_a_camera_info_that_changes_is_taken_with_its_stamp(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_input, "PATIENCE_SECONDS", 30.0)
    harness = started(start, base_frame="", odom_frame="")
    localizer = harness.relocalizer.pipeline.frames._localizer
    for k in range(1, 9):
        info = camera_info()
        info.k[0] = 50.0 if k < 5 else 60.0
        harness.show_and_wait(float(k), None, info)
    assert [camera.fx for camera in localizer.cameras] == [50.0] * 4 + [60.0] * 4


def test_a_camera_info_that_comes_after_its_image_is_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_input, "PATIENCE_SECONDS", 30.0)
    harness = started(start, base_frame="", odom_frame="")
    localizer = harness.relocalizer.pipeline.frames._localizer
    harness.show_and_wait(1.0)  # from now on images have camera_infos of their own
    harness.show_without_camera_info(2.0)
    info = camera_info()
    info.k[0] = 60.0
    info.header.stamp = stamp(2.0)
    harness.camera_infos.publish(info)
    harness.wait_for_result(2.0)
    assert [camera.fx for camera in localizer.cameras] == [50.0, 60.0]


def test_an_image_without_stamp_is_of_the_time_of_its_arrival(start: Start) -> None:
    harness = started(start, base_frame="", odom_frame="")
    before = harness.relocalizer.get_clock().now().nanoseconds
    harness.show_without_camera_info(0.0)
    harness.camera_infos.publish(camera_info())
    result = wait_for(lambda: harness.results, "a result")[0]
    after = harness.relocalizer.get_clock().now().nanoseconds
    assert before <= result.header.stamp.sec * 10**9 + result.header.stamp.nanosec <= after


def test_relocalize_does_not_answer_with_an_old_image(start: Start) -> None:
    harness = started(start, base_frame="", odom_frame="", max_age=0.2)
    harness.show_and_wait(1.0)
    pipeline = harness.relocalizer.pipeline
    wait_for(
        lambda: pipeline.relocalize(Relocalize.Request()).reason.startswith(
            "the newest image on /image came "
        ),
        "a refusal",
    )
    result = harness.call(Relocalize, "relocalizer/relocalize", Relocalize.Request()).result
    assert result.status == result.INVALID_INPUT
    assert result.reason.endswith("s ago, and max_age is 0.2 s")
    assert harness.set_parameters(max_age=0.0).successful
    result = harness.call(Relocalize, "relocalizer/relocalize", Relocalize.Request()).result
    assert result.status == result.LOCALIZED
    assert result.header.stamp.sec == 1


def test_a_frame_has_the_time_that_the_parameter_gives_it(start: Start) -> None:
    harness = started(start, base_frame="", odom_frame="", max_frame_seconds=3.5)
    localizer = harness.relocalizer.pipeline.frames._localizer
    harness.show_and_wait(1.0)
    assert localizer.max_frame_seconds == 3.5
    assert harness.set_parameters(max_frame_seconds=0.0).successful
    harness.show_and_wait(2.0)
    assert localizer.max_frame_seconds is None


@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ("map", "another node publishes 'map' -> 'odom', too: stop it"),
        ("world", "another node says that the parent of 'odom' is 'world', not 'map'"),
    ],
)
def test_another_publisher_of_the_transform_is_told(start: Start, parent: str, said: str) -> None:
    harness = started(start, base_frame="", transform_timeout=5.0)
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))
    harness.move("odom", "base_link", 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    harness.wait_for_transform(2.0)
    assert diagnostic(harness, "localized").message == "localized"  # its own is no other's
    harness.move(parent, "odom", 1.5, np.eye(4))
    status = diagnostic(harness, said)
    assert status.level == DiagnosticStatus.WARN


def test_transforms_without_stamp_are_of_now_and_set_no_time_back(start: Start) -> None:
    harness = started(start, base_frame="", transform_timeout=5.0)
    now = harness.relocalizer.get_clock().now().nanoseconds * 1e-9
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))
    harness.move("odom", "base_link", now, np.eye(4))
    harness.move("wheel_axis", "wheel", now, np.eye(4))
    harness.move("wheel_axis", "wheel", 0.0, np.eye(4))
    harness.show_and_wait(now)
    wait_for(lambda: harness.transforms, "map -> odom, by odometry that was not forgotten")
