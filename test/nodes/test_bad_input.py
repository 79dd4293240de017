"""Whatever comes in: the reason is said, once, and the node stays up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import TransitionEvent
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected
from sensor_msgs.msg import Image

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.robot import camera_info, picture

from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.nodes.pipeline import FAILURES

pytestmark = pytest.mark.ros


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(np.eye(4)))


@pytest.fixture
def harness(start: Start, localizer: FakeLocalizer) -> Harness:
    harness = start(FakeMaps(kitchen=localizer), map="kitchen", odom_frame="", base_frame="")
    harness.activate()
    return harness


def image(**changes: Any) -> Image:
    message = image_to_message(picture())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def logged(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.splitlines()


UNKNOWN_MODEL = {"distortion_model": "fancy"}


@pytest.mark.parametrize(
    ("bad_image", "bad_info", "reason"),
    [
        (lambda: image(encoding="jpeg2000"), camera_info, "unknown image encoding 'jpeg2000'"),
        (lambda: image(width=0, height=0, step=0, data=[]), camera_info, "image is empty"),
        (lambda: image(data=[1, 2, 3]), camera_info, "has 3 bytes of data"),
        (image, lambda: camera_info(width=640, height=480), "does not fit camera intrinsics"),
        (image, lambda: camera_info(k=[0.0] * 9), "uncalibrated"),
        (image, lambda: camera_info(d=[1.0, 2.0]), "2 coefficients"),
        (image, lambda: camera_info(**UNKNOWN_MODEL), "unknown distortion model 'fancy'"),
    ],
    ids=["encoding", "empty", "short", "size", "uncalibrated", "coefficients", "model"],
)
def test_says_what_is_wrong_with_an_image_once(
    harness: Harness,
    localizer: FakeLocalizer,
    bad_image: Callable[[], Image],
    bad_info: Callable[[], Any],
    reason: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for seconds in (1.0, 2.0, 3.0):
        result = harness.show_and_wait(seconds, bad_image(), bad_info())
        assert result.status == result.INVALID_INPUT
        assert reason in result.reason
    assert not harness.poses
    assert not localizer.images
    # A camera_info may come after the image of its time: it counts from the next image on.
    seconds = harness.show_until(result.LOCALIZED, 4.0)
    harness.show_until(result.INVALID_INPUT, seconds + 1.0, bad_image(), bad_info())
    warned = [line for line in logged(capfd) if reason in line and "[WARN]" in line]
    assert len(warned) == 2  # before and after the good one


def fail(image: Any) -> Any:
    raise RuntimeError(f"CUDA out of memory at {image.mean()}")


def test_a_failing_localizer_is_reported_once_and_asked_again(
    harness: Harness, localizer: FakeLocalizer, capfd: pytest.CaptureFixture[str]
) -> None:
    usual, localizer.answer = localizer.answer, fail
    for seconds in (1.0, 2.0, 3.0):
        result = harness.show_and_wait(seconds, picture(round(seconds)))
        assert result.status == result.FAILED
        assert f"CUDA out of memory at {seconds}" in result.reason
    localizer.answer = usual
    assert harness.show_and_wait(4.0).status == result.LOCALIZED
    assert harness.wait_for_diagnostic("frames failed", "3").message == "localized"
    lines = logged(capfd)
    assert (
        len([line for line in lines if line.startswith("Traceback")])
        + len([line for line in lines if "]: Traceback" in line])
        == 1
    )
    assert len([line for line in lines if "localizer: failed: CUDA" in line]) == 1
    assert any("localizer: fine again" in line for line in lines)


def test_frames_that_fail_in_a_row_are_an_error_of_the_lifecycle(
    harness: Harness, localizer: FakeLocalizer, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[TransitionEvent] = []
    harness.collect(TransitionEvent, "relocalizer/transition_event", events)
    wait_for(
        lambda: harness.relocalizer.count_subscribers("relocalizer/transition_event"),
        "the node to see who listens",
    )
    usual, localizer.answer = localizer.answer, fail
    for index in range(FAILURES - 1):
        harness.show_and_wait(1.0 + index)
    localizer.answer = usual
    harness.show_and_wait(20.0)
    assert harness.relocalizer.state == "active"
    localizer.answer = fail
    for index in range(FAILURES):
        harness.show_and_wait(21.0 + index)
    wait_for(lambda: harness.relocalizer.state == "unconfigured", "the node to give itself up")
    wait_for(lambda: events and events[-1].goal_state.label == "unconfigured", "the last event")
    assert [event.goal_state.label for event in events] == [
        "deactivating",
        "errorprocessing",
        "unconfigured",
    ]
    reason = f"{FAILURES} frames in a row failed; the last: the localizer failed: CUDA"
    wait_for(
        lambda: any(
            array.status[0].message.startswith(reason) and array.status[0].level == b"\x02"
            for array in harness.diagnostics
        ),
        "diagnostics that say why",
    )
    assert len([line for line in logged(capfd) if reason in line and "[ERROR]" in line]) == 1
    localizer.answer = usual
    harness.activate()  # as a manager would
    assert harness.show_and_wait(40.0).status == 0
    assert harness.wait_for_diagnostic("frames localized", "1").message == "localized"


def test_a_node_that_starts_itself_starts_again_after_an_error(
    start: Start, localizer: FakeLocalizer
) -> None:
    maps = FakeMaps(kitchen=localizer)
    harness = start(maps, map="kitchen", odom_frame="", base_frame="", autostart=True)
    wait_for(lambda: harness.relocalizer.state == "active", "the node to start itself")
    harness.wait_for_connections()
    localizer.answer = fail
    for index in range(FAILURES):
        harness.show_and_wait(1.0 + index)
    wait_for(lambda: len(maps.asked) == 2, "the map to be opened again")
    wait_for(lambda: harness.relocalizer.state == "active", "the node to start again")


@pytest.mark.parametrize("transition", ["deactivate", "cleanup", "shutdown", "error"])
def test_whatever_a_transition_raises_is_said(
    harness: Harness,
    transition: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    node = harness.relocalizer

    def fail(*_: object) -> None:
        raise RuntimeError("no such publisher")

    if transition == "cleanup":
        node.trigger_deactivate()
    if transition == "error":
        node.give_up("a test wants it")
        transition_raises = "close"
    else:
        transition_raises = "stop" if transition == "deactivate" else "close"
    monkeypatch.setattr(node.pipeline, transition_raises, fail)
    if transition != "error":
        getattr(node, f"trigger_{transition}")()
    said = f"on_{transition}: Traceback"
    lines: list[str] = []

    def is_said() -> bool:
        lines.extend(logged(capfd))
        return any(said in line for line in lines)

    wait_for(is_said, "a word on what was raised")
    assert any("RuntimeError: no such publisher" in line for line in lines)
    monkeypatch.undo()


def test_rejections_are_logged_when_they_begin(
    harness: Harness, localizer: FakeLocalizer, capfd: pytest.CaptureFixture[str]
) -> None:
    localizer.answer = lambda image: rejected(f"score {len(localizer.images)} of 9")
    for seconds in (1.0, 2.0, 3.0):
        harness.show_and_wait(seconds)
    localizer.answer = lambda image: localized(np.eye(4))
    harness.show_and_wait(4.0)
    lines = logged(capfd)
    rejections = [line for line in lines if "of 9" in line]
    assert len(rejections) == 1
    assert "localization: score 1 of 9" in rejections[0]
    assert any("localization: fine again" in line for line in lines)


def test_time_that_jumps_back_starts_anew(
    start: Start, localizer: FakeLocalizer, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = start(FakeMaps(kitchen=localizer), map="kitchen", transform_timeout=0.0)
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", np.eye(4))
    harness.move("odom", "base_link", 100.0, np.eye(4))
    harness.show_until_placed(100.0)
    result = harness.show_and_wait(50.0)
    # The transforms of the other time are gone, that of the camera's mount is not.
    assert (result.status, result.base_frame_id) == (result.LOCALIZED, "base_link")
    assert not [t for t in harness.transforms if t.header.stamp.sec == 51]
    harness.move("odom", "base_link", 51.0, np.eye(4))
    harness.show_until_placed(51.0)
    assert len([line for line in logged(capfd) if "time jumped back by 50.000 s" in line]) == 1


def test_an_overtaken_image_is_skipped(harness: Harness, localizer: FakeLocalizer) -> None:
    harness.show_and_wait(10.0)
    harness.show(9.9)
    harness.show_and_wait(10.1)
    assert len(localizer.images) == 2
    harness.wait_for_diagnostic("images skipped", "1")


def test_images_without_camera_info_wait_for_it(harness: Harness, localizer: FakeLocalizer) -> None:
    harness.show_without_camera_info(1.0)
    harness.wait_for_diagnostic("images received", "1")
    assert not localizer.images
    harness.camera_infos.publish(camera_info())
    assert harness.wait_for_result(1.0).status == 0


def test_diagnostics_say_when_nothing_comes(harness: Harness) -> None:
    status = wait_for(
        lambda: harness.diagnostic("no images on /image: its publisher robot is silent"),
        "a complaint",
    )
    assert status.level == status.WARN
    harness.show_and_wait(1.0)
    assert harness.wait_for_diagnostic("frames localized", "1").message == "localized"
