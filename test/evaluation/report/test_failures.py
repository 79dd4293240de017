from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError, MapError
from dense_reloc_ros.evaluation.report.failure_advice import MapViews
from dense_reloc_ros.evaluation.report.failures import explain_failures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.pose.evidence import PoseEvidence

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
RNG = np.random.default_rng(0)
BRIGHT = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)
RIGHT = PoseEvidence(0.5, 200, 400, 0.5, 0.5, 0.3, 0.01, 0.01, 0.1)


def camera_at(x: float, degrees: float = 0.0) -> np.ndarray:
    turn = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    return rigid(turn, np.array([x, 0.0, 0.0]))


@pytest.fixture
def scene_map():
    """Three keyframes along x, a metre apart, that look along z at points 2 m away."""
    plain = make_map()
    points = plain.points.clone()
    points[:, 2] = 2.0
    poses = torch.from_numpy(np.stack([camera_at(x) for x in (0.0, 1.0, 2.0)]))
    return replace(plain, points=points, keyframe_poses=poses)


@pytest.fixture
def explain(scene_map, make_record):
    """What is said of one frame that was taken at a pose."""

    def explain(taken=None, image=BRIGHT, of_map=scene_map, **others):
        record = make_record(0, localized=False)
        record = replace(record, ground_truth=taken, **others)
        frame = SourceFrame(record.name, 0.0, CAMERA, taken, lambda: image)
        (failure,) = explain_failures([record], [frame], of_map)
        return failure

    return explain


def test_all_frames_that_failed_are_explained(scene_map, make_record):
    records = [
        make_record(0, 0.01),
        make_record(1, 0.50),
        make_record(2, 0.01, degrees=11.0),
        *(make_record(k, localized=False) for k in range(3, 15)),
        make_record(15, ground_truth=False),
    ]
    frames = [SourceFrame(r.name, 0.0, CAMERA, None, lambda: BRIGHT) for r in records]
    failures = explain_failures(records, frames, scene_map)
    assert [failure.name for failure in failures] == [f"frame {k}" for k in range(1, 15)]
    assert [f.outcome for f in failures[:3]] == [
        "wrong by 0.50 m, 0.0°",
        "wrong by 0.01 m, 11.0°",
        "too dark",
    ]


def test_the_depth_is_that_of_what_the_keyframes_see(scene_map):
    assert MapViews(scene_map).depth == 2.0


@pytest.mark.parametrize(
    ("x", "degrees", "index", "distance"),
    [(1.1, 0.0, 1, 0.1), (2.5, 40.0, 2, 0.5), (-3.0, 0.0, 0, 3.0)],
)
def test_the_nearest_keyframe(scene_map, x, degrees, index, distance):
    nearest = MapViews(scene_map).nearest(camera_at(x, degrees))
    assert nearest.index == index
    assert nearest.distance == pytest.approx(distance)
    assert math.degrees(nearest.angle) == pytest.approx(degrees, abs=1e-5)


def test_a_turned_keyframe_is_further_than_one_beside_it(scene_map):
    poses = scene_map.keyframe_poses.clone()
    poses[1] = torch.from_numpy(camera_at(1.0, 90.0))
    nearest = MapViews(replace(scene_map, keyframe_poses=poses)).nearest(camera_at(0.9))
    # 0.9 m of 2 m are 0.45; a right angle is 1.57.
    assert (nearest.index, nearest.distance) == (0, pytest.approx(0.9))


def test_where_no_keyframe_is_near_the_place_is_to_be_mapped(explain):
    wanted = "No keyframe is within 0.6 m and 30°: map this place from there."
    far, turned, near = (explain(camera_at(*at)) for at in ((2.7, 0), (1.0, 31), (2.5, 29)))
    assert wanted in far.advice
    assert wanted in turned.advice
    assert wanted not in near.advice
    assert far.nearest == "frame-000002: 0.70 m, 0°"
    assert turned.nearest == "frame-000001: 0.00 m, 31°"


def test_metres_are_those_of_the_record(explain):
    """Of a map whose unit is half a metre."""
    failure = explain(camera_at(2.7), metre=2.0)
    assert failure.nearest == "frame-000002: 0.35 m, 0°"
    assert "No keyframe is within 0.3 m and 30°: map this place from there." in failure.advice


@pytest.mark.parametrize(
    ("image", "begin"),
    [
        (BRIGHT // 8, "The image is dark"),
        (np.full_like(BRIGHT, 200), "The image shows next to nothing"),
        (BRIGHT, "Too few points match"),
    ],
)
def test_the_image_itself_comes_first(explain, image, begin):
    assert explain(camera_at(1.0), image).advice[0].startswith(begin)


def test_an_image_that_cannot_be_read_has_no_picture(explain, scene_map, make_record):
    def unreadable():
        raise InputError("gone")

    record = make_record(0, localized=False)
    frame = SourceFrame(record.name, 0.0, CAMERA, None, unreadable)
    (failure,) = explain_failures([record], [frame], scene_map)
    assert failure.advice[0] == "The image cannot be used; the reason says why."
    assert failure.pictures == {}


@pytest.mark.parametrize(
    ("found", "evidence", "begin"),
    [
        (camera_at(2.0), RIGHT, "The pose that was found is 1 m and 0° off, by keyframe frame-00"),
        (camera_at(1.0), replace(RIGHT, equals=0.8), "It is unsure between two places"),
        (camera_at(1.0), replace(RIGHT, supporting=12), "Only 12 points support the pose"),
        (camera_at(1.0), RIGHT, "The pose that was found is right"),
    ],
)
def test_what_the_pose_that_was_found_says(explain, found, evidence, begin):
    failure = explain(camera_at(1.0), rejected_pose=found, keyframes=(2, 1), evidence=evidence)
    assert failure.advice[0].startswith(begin)


def test_without_a_true_pose_no_keyframe_is_nearest(explain):
    failure = explain()
    assert (failure.nearest, list(failure.pictures)) == ("", ["frame"])


def test_keyframes_are_shown_where_the_map_has_images(explain, scene_map):
    def read(keyframe):
        if keyframe == 0:
            raise MapError("gone")
        return np.full((480, 640, 3), (60 * keyframe, 0, 0), np.uint8)

    with_images = replace(scene_map, images=read)
    shown = explain(camera_at(1.0), of_map=with_images, keyframes=(2, 1)).pictures
    assert list(shown) == ["frame", "retrieved: frame-000002", "nearest: frame-000001"]
    pictures = [
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in shown.values()
    ]
    assert [picture.shape for picture in pictures] == [(150, 200, 3)] * 3
    # Blue, green, red.
    assert pictures[1].mean(axis=(0, 1)) == pytest.approx([0, 0, 120], abs=3)
    missing = explain(camera_at(0.0), of_map=with_images, keyframes=(2, 1)).pictures
    assert list(missing) == ["frame", "retrieved: frame-000002"]
