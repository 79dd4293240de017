"""Frames under degradations: which, how their images, cameras and poses change, and what stays."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.degraded_frames import (
    degraded,
    expand,
    frame_number,
    is_random,
)
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

SHARED = Path(__file__).parents[3] / "../shared"
DEFINITION = SHARED / "bench/stress_queries.py"
PHOTOGRAPH = SHARED / "data/kitchen/query/frame-000640.color.jpg"
CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)


def picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_LINEAR)


def frame(name: str = "frame-000012", timestamp: float = 0.4) -> SourceFrame:
    return SourceFrame(name, timestamp, CAMERA, np.eye(4), picture)


def seen(source: SourceFrame, name: str, seed: int = 0) -> SourceFrame:
    (one,) = degraded([source], name, seed)
    return one.frame


def test_a_photograph_becomes_the_file_of_the_definition(tmp_path):
    if not (PHOTOGRAPH.exists() and DEFINITION.exists()):
        pytest.skip(f"no recording here: {PHOTOGRAPH}")
    spec = importlib.util.spec_from_file_location("stress_queries", DEFINITION)
    definition = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(definition)
    bgr = cv2.imread(str(PHOTOGRAPH))
    camera = Camera(bgr.shape[1], bgr.shape[0], 525.0, 525.0, 319.5, 239.5)
    source = SourceFrame("frame-000640", 640 / 30, camera, None, lambda: read_rgb(PHOTOGRAPH))
    expected = definition.degrade(bgr, 640, "harsh")
    cv2.imwrite(str(tmp_path / "harsh.jpg"), expected, [cv2.IMWRITE_JPEG_QUALITY, 92])
    image = seen(source, "harsh").load_image()
    np.testing.assert_array_equal(image, read_rgb(tmp_path / "harsh.jpg"))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("frame-000637", 637),
        ("image-000012", 12),
        ("frame-000637.color.jpg", 637),
        ("left.png", 2_500_000_000),
    ],
)
def test_frames_are_numbered_by_name_or_else_by_time(name, number):
    assert frame_number(frame(name, timestamp=2.5)) == number


def test_a_level_changes_the_pixels_and_nothing_else():
    night = seen(frame(), "night", seed=2)
    assert (night.name, night.timestamp, night.camera) == ("frame-000012", 0.4, CAMERA)
    expected = degrade(picture(), LEVELS["night"], 12, 2)
    difference = night.load_image().astype(int) - expected
    assert 0 < np.abs(difference).mean() < 3  # JPEG


def test_an_image_is_degraded_once_and_each_caller_may_write_to_it():
    loads = []
    night = seen(replace(frame(), read_image=lambda: loads.append(1) or picture()), "night")
    first = night.load_image()
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(night.load_image(), kept)
    assert len(loads) == 1


def test_clean_frames_stay_as_they_are():
    assert seen(frame(), "clean").read_image is picture
    assert seen(frame(), "roll0").read_image is picture


def test_names_stand_for_all_angles_and_factors():
    assert expand(["clean", "zoom"]) == [
        "clean",
        *(f"zoom{factor}" for factor in ("0.35", "0.5", "1.5", "2", "3")),
    ]
    rolls = expand(["roll+night"])
    assert len(rolls) == 12
    assert rolls[1] == "roll30+night"
    assert expand(["roll90", "clean", "clean"]) == ["roll90", "clean"]
    assert [is_random(name) for name in ("clean", "roll30", "roll30+night", "bursts")] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("name", ["noon", "roll+noon", "zoom0", "bursts+night", "roll-30"])
def test_unknown_degradations_are_refused(name):
    with pytest.raises(ConfigurationError, match=r"clean, dim, dark, night, harsh, roll, zoom"):
        expand([name])


@pytest.mark.parametrize("name", ["roll30", "roll180", "zoom0.5", "zoom2", "roll90+dim"])
def test_a_point_is_seen_where_camera_and_pose_say(name):
    """A bright square at a known place of the map is in the image where its projection is."""
    pose = rigid(Rotation.from_rotvec([0.2, -0.1, 0.3]).as_matrix(), np.array([1.0, 2.0, 3.0]))
    image = np.full((120, 160, 3), 20, np.uint8)
    image[66:71, 92:97] = 255  # around (94, 68)
    in_camera = np.array([(94 - 79.5) / 150, (68 - 59.5) / 150, 1.0]) * 2.0
    point = pose[:3, :3] @ in_camera + pose[:3, 3]
    view = seen(SourceFrame("frame-000001", 0.0, CAMERA, pose, lambda: image), name)
    local = view.T_map_camera[:3, :3].T @ (point - view.T_map_camera[:3, 3])
    camera, shown = view.camera, view.load_image()[..., 1].astype(float)
    assert shown.shape == (camera.height, camera.width)
    u = camera.fx * local[0] / local[2] + camera.cx
    v = camera.fy * local[1] / local[2] + camera.cy
    shown[shown < 0.5 * shown.max()] = 0
    rows, columns = np.mgrid[: camera.height, : camera.width]
    middle = (shown * columns).sum() / shown.sum(), (shown * rows).sum() / shown.sum()
    assert math.dist(middle, (u, v)) < 0.5


def test_views_keep_the_name_and_the_place_but_not_the_depth():
    given = replace(frame(), read_depth=lambda: np.ones((120, 160), np.float32))
    rolled = seen(given, "roll90")
    assert (rolled.name, rolled.timestamp, rolled.read_depth) == (given.name, 0.4, None)
    assert rolled.T_map_camera[:3, 3].tolist() == [0.0, 0.0, 0.0]
    unposed = seen(replace(given, T_map_camera=None), "roll90")
    assert unposed.T_map_camera is None


def video(count: int) -> list[SourceFrame]:
    return [
        SourceFrame(f"frame-{2 * k:06d}", k / 15, CAMERA, np.eye(4), picture) for k in range(count)
    ]


def test_only_the_frames_of_bursts_change():
    found = degraded(video(60)[::-1], "bursts", seed=1)
    assert [one.frame.timestamp for one in found] == [k / 15 for k in range(60)]
    disturbed = [one.phase != "clear" for one in found]
    assert 20 < sum(disturbed) < 50
    for one, is_disturbed in zip(found, disturbed, strict=True):
        same = np.array_equal(one.frame.load_image(), picture())
        assert same != is_disturbed
        np.testing.assert_array_equal(one.frame.load_image(), one.frame.load_image())


def test_a_video_too_short_for_a_burst_is_refused():
    with pytest.raises(InputError, match="6 frames are too short"):
        degraded(video(6), "bursts")
