"""What the browser is given, held against the map and the report; and that it is given at all."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.report.frame_results import FrameOutcome, FramePose
from dense_reloc_ros.geometry.se3 import rigid, to_quaternion
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.viewing import scene_items
from dense_reloc_ros.viewing.scene_items import Frustum, Lines, Points, map_items, run_items
from dense_reloc_ros.viewing.views import MapView, ReportView
from tools.screenshot import browser_path, open_page

FAR = (500_000.0, 4_500_000.0, 100.0)
RED, BLUE, ORANGE, GREY = (178, 24, 43), (0, 114, 178), (230, 159, 0), (144, 144, 144)


def pose_at(x: float) -> np.ndarray:
    return rigid(Rotation.from_euler("z", x, degrees=True).as_matrix(), FAR + np.array([x, 2, 3]))


def outcome(
    name: str, found: float | None, truth: float | None, published: bool = True
) -> FrameOutcome:
    """A frame at x = `truth`, found at x = `found`."""

    def pose(x: float | None) -> FramePose | None:
        if x is None:
            return None
        matrix = pose_at(x)
        return FramePose(position=tuple(matrix[:3, 3]), orientation=tuple(to_quaternion(matrix)))

    is_off = published and found is not None and truth is not None
    return FrameOutcome(
        name=name,
        stamp_ns=0,
        status="LOCALIZED" if published and found is not None else "REJECTED",
        reason="" if published else "confidence 0.5 is below least_confidence 0.95",
        pose=pose(found) if published else None,
        rejected_pose=None if published else pose(found),
        ground_truth=pose(truth),
        covariance=None,
        score=0.5,
        confidence=0.5,
        translation_error_m=abs(found - truth) if is_off else None,
        rotation_error_deg=abs(found - truth) if is_off else None,
        nees_over_6=None,
        latency_ms=None,
        stages_ms={},
        keyframes=(2, 0),
    )


RUN = (
    outcome("right", 1.1, 1.0),
    outcome("wrong", 7.0, 2.0),
    outcome("withheld", 3.5, 3.0, published=False),
    outcome("lost", None, 4.0, published=False),
    outcome("without truth", 5.0, None),
)


@pytest.fixture
def scene_map() -> SceneMap:
    """Far from the origin of its frame, with images of one colour each."""
    near = make_map()
    information = near.information.model_copy(update={"origin": FAR})
    return replace(
        near,
        information=information,
        images=lambda keyframe: np.full((480, 640, 3), 40 * keyframe + 10, np.uint8),
    )


@pytest.fixture
def browser() -> Iterator[object]:
    pytest.importorskip("viser")
    from dense_reloc_ros.viewing.browser import Browser

    browser = Browser("127.0.0.1", 18080, "test")
    yield browser
    browser.close()


def test_a_map_is_its_points_and_a_frustum_for_each_keyframe(scene_map):
    points, *frusta = map_items(scene_map)
    assert isinstance(points, Points) and points.name == "/map/points"
    np.testing.assert_array_equal(points.positions, scene_map.points.numpy())
    seen = np.isin(np.arange(20), scene_map.observation_points.numpy())
    assert (points.colours[~seen] == 160).all()
    assert points.colours[seen].min() >= 10 and points.colours[seen].max() <= 90
    names = ["/map/keyframes/000000", "/map/keyframes/000001", "/map/keyframes/000002"]
    assert [frustum.name for frustum in frusta] == names
    for index, frustum in enumerate(frusta):
        assert isinstance(frustum, Frustum) and frustum.image is not None
        np.testing.assert_array_equal(frustum.T_map_camera, scene_map.keyframe_poses[index])
        assert frustum.image.shape == (120, 160, 3)
        assert frustum.image[0, 0].tolist() == [40 * index + 10] * 3


def test_large_maps_have_no_images_in_their_frusta(scene_map, monkeypatch):
    monkeypatch.setattr(scene_items, "MOST_PICTURES", 2)
    assert [frustum.image for frustum in map_items(scene_map)[1:]] == [None] * 3


def test_poses_of_a_run_are_sorted_by_what_became_of_them():
    items = {item.name: item for item in run_items(RUN, np.array(FAR))}
    dots = {n: (i.positions, i.colours) for n, i in items.items() if isinstance(i, Points)}
    x = {name: positions[:, 0].tolist() for name, (positions, _) in dots.items()}
    assert x["/run/truth"] == pytest.approx([1, 2, 3, 4])
    assert x["/run/published"] == pytest.approx([1.1, 5])
    assert x["/run/wrong"] == pytest.approx([7])
    assert x["/run/withheld"] == pytest.approx([3.5])
    assert dots["/run/wrong"][1].tolist() == [list(RED)]
    assert dots["/run/withheld"][1].tolist() == [list(ORANGE)]
    line = items["/run/errors_of_published"]
    assert isinstance(line, Lines)
    assert line.segments[:, :, 0].ravel().tolist() == pytest.approx([1.1, 1.0])
    assert items["/run/path"].segments[:, :, 0].tolist() == [[1, 2], [2, 3], [3, 4]]


def test_a_run_without_truth_has_poses_only():
    assert [i.name for i in run_items(RUN[-1:], np.array(FAR))] == ["/run/published"]
    assert run_items([outcome("lost", None, None)], np.array(FAR)) == []


def test_the_scene_has_what_the_map_has(browser, scene_map):
    view = MapView(browser, scene_map)
    scene = browser.server.scene
    sent = scene.get_handle_by_name("/map/points")
    np.testing.assert_array_equal(sent.points, scene_map.points.numpy())
    for index, pose in enumerate(scene_map.keyframe_poses.numpy()):
        frustum = scene.get_handle_by_name(f"/map/keyframes/{index:06d}")
        w, x, y, z = frustum.wxyz
        np.testing.assert_allclose(frustum.position, pose[:3, 3])
        np.testing.assert_allclose(
            Rotation.from_quat([x, y, z, w]).as_matrix(), pose[:3, :3], atol=1e-12
        )
        assert np.tan(frustum.fov / 2) == pytest.approx(24 / 51)
        assert frustum.aspect == pytest.approx(64 / 48)
    view.tell(1)
    assert "`frame-000001`, at (500003.00, 4500004.00, 105.00) m" in view.text.content


def test_the_slider_shows_one_frame_after_the_other(browser, scene_map):
    view = ReportView(browser, scene_map, RUN)
    scene = browser.server.scene
    seen = []
    for index in range(len(RUN)):
        view.turn_to(index)
        handles = [scene.get_handle_by_name(f"/frame/{name}") for name in ("truth", "found")]
        seen.append([None if h is None else round(float(h.position[0]), 6) for h in handles])
        found = handles[1]
        if found is not None:
            assert tuple(found.color) == [BLUE, RED, ORANGE, None, BLUE][index]
    assert seen == [[1, 1.1], [2, 7], [3, 3.5], [4, None], [None, 5]]
    view.turn_to(1)
    assert "**wrong**: LOCALIZED" in view.text.content
    assert "wrong by 500.0 cm, 5.00°" in view.text.content
    colours = [scene.get_handle_by_name(f"/map/keyframes/{k:06d}").color for k in range(3)]
    assert [tuple(colour) for colour in colours] == [BLUE, GREY, BLUE]
    assert "`frame-000002`" in view.map_view.text.content


def test_a_report_without_frames_is_refused(browser, scene_map):
    with pytest.raises(InputError, match="the report has no frames to show"):
        ReportView(browser, scene_map, [])


def test_the_page_is_served(browser, scene_map):
    MapView(browser, scene_map)
    with urllib.request.urlopen(browser.address) as answer:
        assert answer.status == 200
        assert b"<!doctype html>" in answer.read(2000).lower()


@pytest.mark.skipif(browser_path() is None, reason="needs Chromium")
def test_a_browser_shows_the_scene_and_its_texts(browser, scene_map):
    ReportView(browser, scene_map, RUN)
    with open_page(1200, 800) as page:
        page.open(browser.address, "document.body && document.body.innerText.includes('keyframes')")
        shown = page.value("document.body.innerText")
        assert "3 keyframes, 20 points" in shown
        assert "right: LOCALIZED" in shown
        assert page.value("document.querySelectorAll('canvas').length") >= 1


def test_without_viser_it_says_how_to_install_it(monkeypatch):
    from dense_reloc_ros.viewing.browser import Browser

    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ConfigurationError, match="takes viser: pip install viser"):
        Browser("127.0.0.1", 18080, "test")
