"""Lifecycle, maps, services and parameters of the relocalizer."""

from __future__ import annotations

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized
from scipy.spatial.transform import Rotation

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes import fake_tf2_ros
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.robot import CAMERA_FRAME, camera_info, picture

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.nodes.conversions import image_to_message, pose_to_message
from dense_reloc_ros.srv import LoadMap, Relocalize

pytestmark = pytest.mark.ros

T_MAP_CAMERA = rigid(Rotation.from_euler("xyz", [1, 2, 3]).as_matrix(), np.array([1.0, 2.0, 3.0]))
T_BASE_CAMERA = rigid(Rotation.from_euler("xyz", [3, 1, 2]).as_matrix(), np.array([0.1, 0.2, 0.3]))


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(T_MAP_CAMERA))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer, hall=FakeLocalizer(lambda image: localized(np.eye(4)), 1))


def load(harness: Harness, path: str) -> LoadMap.Response:
    return harness.call(LoadMap, "relocalizer/load_map", LoadMap.Request(map_path=path))


def relocalize(harness: Harness, **request: object) -> Relocalize.Response:
    return harness.call(Relocalize, "relocalizer/relocalize", Relocalize.Request(**request)).result


def test_autostart(start: Start, maps: FakeMaps) -> None:
    harness = start(
        maps, map="/maps/kitchen", autostart=True, base_frame="", method="nre", device="cpu"
    )
    wait_for(lambda: harness.relocalizer.state == "active", "the node to start itself")
    harness.wait_for_connections()
    assert harness.show_and_wait(1.0).status == 0
    (path, configuration, method, device) = maps.asked[0]
    assert (str(path), method, device) == ("/maps/kitchen", "nre", "cpu")
    assert configuration == LocalizerConfiguration()


def test_lifecycle_there_and_back(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    harness.show_and_wait(1.0)
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    harness.show(2.0)
    harness.wait_for_diagnostic("images received", "2")
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    harness.show_and_wait(3.0)
    assert [result.header.stamp.sec for result in harness.results] == [1, 3]
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert harness.change_state(Transition.TRANSITION_CLEANUP)
    wait_for(lambda: not harness.images.get_subscription_count(), "the subscription to go")
    harness.activate()
    assert len(maps.asked) == 2
    harness.show_and_wait(4.0)
    assert harness.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert harness.relocalizer.state == "finalized"


def test_configured_again_and_again_it_leaves_nothing_behind(
    start: Start, maps: FakeMaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dense_reloc_ros.nodes.tf_history.tf2_ros", fake_tf2_ros)
    node = start(maps, map="kitchen").relocalizer

    def held() -> list[int]:
        return [len(list(kind)) for kind in (node.services, node.subscriptions, node.publishers)]

    before = held()
    for _ in range(10):
        node.trigger_configure()
        assert node.state == "inactive"
        node.trigger_cleanup()
    assert node.state == "unconfigured"
    assert held() == before


def test_broken_map_fails_the_transition_and_can_be_replaced(
    start: Start, maps: FakeMaps, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = start(maps, map="/maps/ruin", base_frame="", odom_frame="")
    assert not harness.change_state(Transition.TRANSITION_CONFIGURE)
    assert harness.relocalizer.state == "unconfigured"
    assert "/maps/ruin: no map here" in capfd.readouterr().err
    status = wait_for(lambda: harness.diagnostic("/maps/ruin: no map here"), "the complaint")
    assert status.level == status.ERROR
    assert load(harness, "/maps/kitchen").success
    assert harness.set_parameters(**{"retrieval.keyframes": 17}).successful
    harness.activate()
    assert harness.show_and_wait(1.0).status == 0
    assert maps.localizers["kitchen"].configuration.retrieval.keyframes == 17


def test_a_transition_that_raises_says_so(
    start: Start,
    maps: FakeMaps,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no type support")

    harness = start(maps, map="kitchen")
    monkeypatch.setattr("dense_reloc_ros.nodes.relocalizer.RelocalizerPipeline", fail)
    assert not harness.change_state(Transition.TRANSITION_CONFIGURE)
    assert "RuntimeError: no type support" in capfd.readouterr().err
    assert harness.relocalizer.state == "unconfigured"


def test_loading_a_map_starts_a_node_that_starts_itself(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/ruin", autostart=True, base_frame="")
    wait_for(lambda: maps.asked, "the node to try its map")
    assert load(harness, "/maps/kitchen").success
    assert harness.relocalizer.state == "active"


def test_without_a_map_images_are_answered_with_the_reason(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, base_frame="", odom_frame="")
    harness.activate()
    result = harness.show_and_wait(1.0)
    assert (result.status, result.reason) == (result.INVALID_INPUT, "no map is loaded")
    assert load(harness, "/maps/kitchen").success
    assert harness.show_and_wait(2.0).status == result.LOCALIZED


def test_load_map_replaces_the_map_and_keeps_it_where_the_new_one_is_broken(
    start: Start, maps: FakeMaps
) -> None:
    maps.localizers["hall"].method = "other"
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    response = load(harness, "/maps/ruin")
    assert (response.success, response.message) == (False, "/maps/ruin: no map here")
    assert harness.show_and_wait(1.0).method == "fake"
    assert load(harness, "/maps/hall").success
    result = harness.show_and_wait(2.0)
    assert result.method == "other"
    assert result.camera_pose.pose.position.x == 0.0


def test_everything_goes_on_while_a_map_is_read(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    maps.gate.clear()
    request = LoadMap.Request(map_path="/maps/hall")
    future = harness.ask(LoadMap, "relocalizer/load_map", request)
    wait_for(lambda: len(maps.asked) == 2, "the service to read the map")
    assert harness.show_and_wait(1.0).status == 0
    harness.wait_for_diagnostic("images received", "1")
    assert harness.set_parameters(max_rate=3.0).successful
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    assert harness.show_and_wait(2.0).map_revision == "revision 0"
    assert not future.done()
    maps.gate.set()
    wait_for(future.done, "the answer")
    assert harness.show_and_wait(3.0).map_revision == "revision 1"


def test_a_map_that_arrives_after_cleanup_or_shutdown(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    assert harness.change_state(Transition.TRANSITION_CONFIGURE)
    maps.gate.clear()
    request = LoadMap.Request(map_path="/maps/hall")
    future = harness.ask(LoadMap, "relocalizer/load_map", request)
    wait_for(lambda: len(maps.asked) == 2, "the service to read the map")
    assert harness.change_state(Transition.TRANSITION_CLEANUP)
    maps.gate.set()
    assert wait_for(future.result, "the answer").success
    harness.activate()
    assert harness.show_and_wait(1.0).map_revision == "revision 1"
    maps.gate.clear()
    future = harness.ask(LoadMap, "relocalizer/load_map", request)
    wait_for(lambda: len(maps.asked) == 3, "the service to read the map")
    assert harness.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    maps.gate.set()
    response = wait_for(future.result, "the answer")
    assert (response.success, "was shut down" in response.message) == (False, True)


def test_a_slow_frame_holds_neither_parameters_nor_transitions(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    localizer.gate.clear()
    harness.show(1.0)
    wait_for(lambda: localizer.images, "the frame to be in work")
    assert harness.set_parameters(**{"retrieval.keyframes": 17}).successful
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert harness.change_state(Transition.TRANSITION_CLEANUP)
    localizer.gate.set()  # its result has nowhere to go any more
    harness.activate()
    assert harness.show_and_wait(2.0).status == 0
    assert [result.header.stamp.sec for result in harness.results] == [2]
    assert harness.relocalizer.state == "active"


def test_relocalize_answers_for_the_given_image(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen")
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    image = image_to_message(picture(7))
    image.header.frame_id = CAMERA_FRAME
    prior = Relocalize.Request().prior
    prior.header.frame_id = "map"
    T_map_base = rigid(Rotation.from_euler("z", 1).as_matrix(), np.array([5.0, 6.0, 0.0]))
    prior.pose = pose_to_message(T_map_base, np.zeros((6, 6)))
    result = relocalize(
        harness, image=image, camera_info=camera_info(d=[]), use_prior=True, prior=prior
    )
    assert (result.status, result.reason) == (result.LOCALIZED, "")
    assert result.base_frame_id == "base_link"
    assert localizer.images[0][0, 0].tolist() == [7, 7, 7]
    assert not localizer.cameras[0].is_distorted
    np.testing.assert_allclose(localizer.priors[0], T_map_base @ T_BASE_CAMERA, atol=1e-9)
    assert not harness.results
    assert not harness.poses


def test_relocalize_without_image_takes_the_cameras_newest(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen", base_frame="")
    assert relocalize(harness).reason == "the relocalizer is not configured"
    assert harness.change_state(Transition.TRANSITION_CONFIGURE)
    result = relocalize(harness)
    assert (result.status, "/image" in result.reason) == (result.INVALID_INPUT, True)
    harness.wait_for_connections()
    harness.show(3.0, picture(9))
    harness.wait_for_diagnostic("images received", "1")
    result = relocalize(harness)
    assert (result.status, result.header.stamp.sec) == (result.LOCALIZED, 3)
    assert localizer.images[0][0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize(
    ("frame", "quaternion", "reason"),
    [("odom", 1.0, "given in frame 'odom'"), ("map", 0.0, "not finite with a non-zero quaternion")],
)
def test_relocalize_says_what_is_wrong_with_a_prior(
    start: Start, maps: FakeMaps, frame: str, quaternion: float, reason: str
) -> None:
    harness = start(maps, map="kitchen", base_frame="")
    harness.activate()
    prior = Relocalize.Request().prior
    prior.header.frame_id = frame
    prior.pose.pose.orientation.w = quaternion
    result = relocalize(
        harness,
        image=image_to_message(picture()),
        camera_info=camera_info(),
        use_prior=True,
        prior=prior,
    )
    assert result.status == result.INVALID_INPUT
    assert reason in result.reason


def test_images_come_in_while_a_caller_waits(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    localizer.gate.clear()
    request = Relocalize.Request(image=image_to_message(picture()), camera_info=camera_info())
    future = harness.ask(Relocalize, "relocalizer/relocalize", request)
    wait_for(lambda: localizer.images, "the service to be at work")
    harness.show(1.0)
    harness.wait_for_diagnostic("images received", "1")
    assert not future.done()
    localizer.gate.set()
    wait_for(future.done, "the answer")
    assert harness.wait_for_result(1.0).status == 0


def test_parameters_change_the_localizer_while_it_runs(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="kitchen", base_frame="", odom_frame="")
    harness.activate()
    assert harness.set_parameters(**{"retrieval.keyframes": 17}).successful
    refused = harness.set_parameters(**{"retrieval.keyframes": 18, "retrieval.clusters": 0})
    assert not refused.successful
    assert "retrieval.clusters" in refused.reason
    harness.set_parameters(map_frame="hall")
    assert harness.show_and_wait(1.0).header.frame_id == "hall"
    assert localizer.configuration.retrieval.keyframes == 17


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"map": "/maps/hall"}, "unless the node is unconfigured: map"),
        ({"image_transport": "compressed"}, "unless the node is unconfigured: image_transport"),
        ({"autostart": True}, "read-only"),
        ({"max_rate": -1.0}, "out of range"),
        ({"max_rate": "fast"}, "Wrong parameter type"),
    ],
)
def test_parameters_that_cannot_change(
    start: Start, maps: FakeMaps, change: dict[str, object], reason: str
) -> None:
    harness = start(maps, map="kitchen", base_frame="")
    harness.activate()
    result = harness.set_parameters(**change)
    assert not result.successful
    assert reason in result.reason


def test_unknown_choice_is_refused_with_the_choices(start: Start, maps: FakeMaps) -> None:
    harness = start(maps)
    result = harness.set_parameters(image_transport="carrier pigeon")
    assert not result.successful
    assert "'raw' or 'compressed'" in result.reason
