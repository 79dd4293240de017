"""~/choose_map: finds the map that images belong to, loads it, or leaves the one in use alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.robot import camera_info, picture, stamp

from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.srv import ChooseMap, Relocalize

pytestmark = pytest.mark.ros

GREYS = {"kitchen": 60, "hall": 120, "cellar": 180}
"""What each place looks like."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*GREYS, "ruin"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "map.json").touch()
    return tmp_path


def place(grey: int, seed: int) -> FakeLocalizer:
    """Its localizer recognizes images of this grey."""
    estimate = rejected().estimate
    assert estimate is not None
    doubted = replace(rejected(), estimate=replace(estimate, confidence=0.02))
    return FakeLocalizer(
        lambda image: localized(np.eye(4)) if image.mean() == grey else doubted, seed
    )


@pytest.fixture
def maps() -> FakeMaps:
    return FakeMaps(**{name: place(grey, n) for n, (name, grey) in enumerate(GREYS.items())})


@pytest.fixture
def make(start: Callable[..., Harness], maps: FakeMaps, folder: Path) -> Callable[..., Harness]:
    def make(**parameters: Any) -> Harness:
        known = {"map": str(folder / "kitchen"), "maps_folder": str(folder), "base_frame": ""}
        return start(maps, **(known | {"odom_frame": ""} | parameters))

    return make


def ask(harness: Harness, **request: Any) -> ChooseMap.Response:
    return harness.call(ChooseMap, "relocalizer/choose_map", ChooseMap.Request(**request))


def given(*greys: int) -> dict[str, Any]:
    """Images with their intrinsics, half a second apart."""
    images = [image_to_message(picture(grey)) for grey in greys]
    for number, image in enumerate(images):
        image.header.stamp = stamp(1.0 + 0.5 * number)
    return {"images": images, "camera_infos": [camera_info()]}


def test_the_cameras_last_images_choose_another_map(
    make: Callable[..., Harness], folder: Path
) -> None:
    harness = make()
    harness.activate()
    for seconds in (1.0, 1.6, 2.2):
        assert harness.show_and_wait(seconds, picture(120)).status != 0
    answer = ask(harness)
    assert (answer.success, answer.message) == (True, "")
    assert answer.map_path == str(folder / "hall")
    assert answer.map_revision == "revision 1"
    assert answer.confidence > 0.95
    evidence = {Path(one.map_path).name: one for one in answer.evidence}
    assert {name: one.localized for name, one in evidence.items()} == {
        "kitchen": 0,
        "hall": 3,
        "cellar": 0,
        "ruin": 0,
    }
    np.testing.assert_allclose(evidence["hall"].confidences, [0.999] * 3)
    assert {name for name, one in evidence.items() if one.problem} == {"ruin"}
    assert "no map here" in evidence["ruin"].problem
    after = harness.show_and_wait(2.8, picture(120))
    assert (after.status, after.map_revision) == (0, "revision 1")


def test_images_of_nowhere_leave_the_map_in_use(make: Callable[..., Harness]) -> None:
    harness = make()
    harness.activate()
    assert harness.show_and_wait(1.0, picture(60)).status == 0
    answer = ask(harness, **given(7, 8))
    assert not answer.success
    assert answer.message == "no map fits: none of 2 images has a pose in any of 3 maps"
    assert (answer.map_path, answer.map_revision) == ("", "revision 0")
    assert harness.show_and_wait(1.2, picture(60)).map_revision == "revision 0"


def test_the_map_in_use_is_not_exchanged_for_itself(
    make: Callable[..., Harness], maps: FakeMaps, folder: Path
) -> None:
    harness = make()
    harness.activate()
    assert harness.show_and_wait(1.0, picture(60)).status == 0
    wait_for(lambda: len(harness.transforms), "the transform of the map")
    opened = len(maps.asked)
    answer = ask(harness, **given(60))
    assert (answer.success, answer.map_path) == (True, str(folder / "kitchen"))
    assert [path.name for path, *_ in maps.asked[opened:]] == ["cellar", "hall", "kitchen", "ruin"]
    assert harness.node.pipeline is not None
    assert harness.node.pipeline.standing.state.name == "TRACKING"


def test_a_folder_of_the_request(make: Callable[..., Harness], folder: Path) -> None:
    harness = make(maps_folder="")
    assert "set the parameter 'maps_folder'" in ask(harness, **given(60)).message
    assert "cannot be read" in ask(harness, maps_folder="/nowhere", **given(60)).message
    assert ask(harness, maps_folder=str(folder), **given(60)).success


@pytest.mark.parametrize("state", ["unconfigured", "inactive", "active", "finalized"])
def test_in_every_state(make: Callable[..., Harness], state: str) -> None:
    harness = make()
    ways = {"inactive": ["configure"], "active": ["configure", "activate"]}
    for name in ways.get(state, ["shutdown"] if state == "finalized" else []):
        getattr(harness.relocalizer, f"trigger_{name}")()
    answer = ask(harness, **given(180, 180))
    assert harness.relocalizer.state == state
    if state == "finalized":
        assert "was shut down" in answer.message
        return
    assert (answer.success, answer.map_revision) == (True, "revision 2")
    if state == "unconfigured":
        harness.relocalizer.trigger_configure()
    request = Relocalize.Request(image=image_to_message(picture(180)), camera_info=camera_info())
    result = harness.call(Relocalize, "relocalizer/relocalize", request).result
    assert (result.status, result.map_revision) == (0, "revision 2")


def test_a_node_that_waits_for_a_map_starts_with_the_one_that_is_chosen(
    make: Callable[..., Harness],
) -> None:
    harness = make(map="/maps/nowhere", autostart=True)
    wait_for(lambda: harness.relocalizer.map_problem, "the map to be missing")
    assert ask(harness, **given(120)).success
    assert harness.relocalizer.state == "active"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({}, "nothing came on /image yet"),
        ({"images": [image_to_message(picture())]}, "the camera has sent none yet"),
        (given(1) | {"camera_infos": [camera_info()] * 2}, "2 camera_infos for 1 images"),
        (given(1) | {"camera_infos": [camera_info(width=99)]}, "99"),
    ],
)
def test_requests_that_cannot_be_answered(
    make: Callable[..., Harness], request_: dict[str, Any], problem: str
) -> None:
    harness = make()
    harness.relocalizer.trigger_configure()
    answer = ask(harness, **request_)
    assert not answer.success
    assert problem in answer.message
    assert answer.map_revision == "revision 0"


def test_images_that_are_too_old_choose_nothing(make: Callable[..., Harness]) -> None:
    harness = make(max_age=1e-9)
    harness.activate()
    harness.show_and_wait(1.0, picture(60))
    assert "max_age is 1e-09 s" in ask(harness).message


def test_images_and_diagnostics_go_on_meanwhile(
    make: Callable[..., Harness], maps: FakeMaps
) -> None:
    harness = make()
    harness.activate()
    assert harness.show_and_wait(1.0, picture(60)).status == 0
    maps.gate.clear()
    answer = harness.ask(ChooseMap, "relocalizer/choose_map", ChooseMap.Request(**given(120)))
    wait_for(lambda: len(maps.asked) == 2, "a map to be read")
    assert harness.show_and_wait(1.2, picture(60)).status == 0
    harness.wait_for_diagnostic("localization state", "TRACKING")
    assert not answer.done()
    maps.gate.set()
    wait_for(answer.done, "the answer")
    assert answer.result().map_revision == "revision 1"
