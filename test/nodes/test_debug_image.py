"""The picture of a frame shows what supports a pose, and whether it was published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, PointLosses, PoseEstimate, Status
from dense_reloc_ros.nodes.debug_image import (
    DOUBTED,
    LOCALIZED,
    NOT_LOCALIZED,
    caption,
    draw_localization,
    loss_colours,
)
from dense_reloc_ros.nodes.keyframe_picture import most_alike, picture_of
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(320, 240, 200.0, 200.0, 159.5, 119.5)
GREY = np.full((240, 320, 3), 120, np.uint8)
ESTIMATE = PoseEstimate(np.eye(4), 1e-4 * np.eye(6), 0.8, np.arange(2), (0, 1), confidence=0.99)
PUBLISHED = Localization(Status.LOCALIZED, "", ESTIMATE)
REASON = "confidence 0.500 is below least_confidence 0.95"
REJECTED = Localization(Status.REJECTED, REASON, replace(ESTIMATE, confidence=0.5))
LOST = Localization(Status.NO_CANDIDATES, "too little of the map matches the image")
YELLOW, VIOLET = (253, 231, 37), (68, 1, 84)
"""The ends of matplotlib's viridis."""


@pytest.fixture
def scene_map() -> SceneMap:
    """Three points 2 m before a camera at the origin, at the pixels (159.5, 119.5), (209.5, 139.5)
    and behind it. Keyframe 1 saw the first two at the pixels (20, 10) and (40, 30), keyframe 0 the
    second and the third.
    """
    points = torch.tensor([[0.0, 0.0, 2.0], [0.5, 0.2, 2.0], [0.0, 0.0, -2.0]])
    colours = torch.tensor([[200, 10, 20], [30, 210, 40], [50, 60, 220]], dtype=torch.uint8)
    return replace(
        make_map(keyframes=2),
        points=points,
        colours=colours,
        observation_offsets=torch.tensor([0, 2, 4]),
        observation_points=torch.tensor([1, 2, 0, 1]),
        observation_pixels=torch.tensor([[5.0, 5.0], [9.0, 9.0], [20.0, 10.0], [40.0, 30.0]]),
    )


def colours(drawing: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in drawing.reshape(-1, 3).tolist()}


@pytest.mark.parametrize(
    ("localization", "colour"), [(PUBLISHED, LOCALIZED), (REJECTED, DOUBTED), (LOST, NOT_LOCALIZED)]
)
def test_each_decision_has_a_colour_of_its_own(localization, colour, scene_map):
    drawing = draw_localization(GREY, CAMERA, localization, scene_map)
    assert colours(drawing) & {LOCALIZED, DOUBTED, NOT_LOCALIZED} == {colour}


@pytest.mark.parametrize("localization", [PUBLISHED, REJECTED])
def test_points_are_circled_where_the_pose_puts_them(localization, scene_map):
    drawing = draw_localization(GREY, CAMERA, localization, scene_map)
    rows, columns = np.nonzero((drawing[:200, :320] != 120).any(-1))
    assert set(np.round(columns / 50).astype(int)) == {3, 4}
    assert (rows.min(), rows.max()) == pytest.approx((116, 144), abs=2)


def test_points_of_a_map_far_from_the_origin_are_where_the_pose_puts_them(scene_map):
    information = scene_map.information.model_copy(update={"origin": (5e5, 4e6, 100.0)})
    far = replace(scene_map, information=information)
    pose = np.eye(4)
    pose[:3, 3] = information.origin
    moved = replace(PUBLISHED, estimate=replace(ESTIMATE, T_map_camera=pose))
    np.testing.assert_array_equal(
        draw_localization(GREY, CAMERA, moved, far),
        draw_localization(GREY, CAMERA, PUBLISHED, scene_map),
    )


def test_circles_are_coloured_by_the_loss_in_both_pictures(scene_map):
    losses = PointLosses(np.array([0, 1]), np.array([0.0, 1.0], np.float32))
    localization = replace(PUBLISHED, estimate=replace(ESTIMATE, losses=losses))
    drawing = draw_localization(GREY, CAMERA, localization, scene_map)
    assert nearest(drawing, 160, 120) == YELLOW  # of the first point in the image
    assert nearest(drawing, 210, 140) == VIOLET
    # The keyframe is 64 x 48 pixels, and drawn five times as large.
    assert nearest(drawing, 320 + 5 * 20, 5 * 10) == YELLOW
    assert nearest(drawing, 320 + 5 * 40, 5 * 30) == VIOLET


def nearest(drawing: np.ndarray, column: int, row: int) -> tuple[int, ...]:
    """Which end of the scale the pixels on the circle around a pixel are nearer to."""
    around = drawing[row - 3, column].astype(float)
    return min((YELLOW, VIOLET), key=lambda end: float(np.linalg.norm(around - end)))


def test_the_scale_goes_from_yellow_to_violet():
    found = loss_colours(np.array([0.0, 1.0, 2.0], np.float32))
    np.testing.assert_allclose(found, [YELLOW, VIOLET, VIOLET], atol=2)


def test_the_keyframe_beside_is_the_one_that_saw_most_of_what_supports_the_pose(scene_map):
    assert most_alike(scene_map, ESTIMATE) == 1
    assert most_alike(scene_map, replace(ESTIMATE, keyframes=(0,))) == 0
    assert most_alike(scene_map, replace(ESTIMATE, keyframes=())) is None
    drawing = draw_localization(GREY, CAMERA, PUBLISHED, scene_map)
    assert drawing.shape == (240, 640, 3)


def test_a_keyframe_without_an_image_is_drawn_by_its_points(scene_map):
    picture = picture_of(scene_map, 1)
    assert picture.name == "frame-000001"
    assert tuple(picture.image[10, 20]) == (200, 10, 20)
    assert tuple(picture.image[30, 40]) == (30, 210, 40)
    assert tuple(picture.image[20, 30]) == (0, 0, 0)


def test_a_keyframe_has_its_image_if_the_map_stores_it(scene_map):
    image = np.full((48, 64, 3), 77, np.uint8)
    assert picture_of(replace(scene_map, images=lambda _: image), 1).image is image

    def unreadable(keyframe: int) -> np.ndarray:
        raise MapError("no such file")

    broken = picture_of(replace(scene_map, images=unreadable), 1)
    assert tuple(broken.image[10, 20]) == (200, 10, 20)


def test_without_a_pose_or_a_map_the_image_stands_alone(scene_map):
    for localization, known in ((LOST, scene_map), (PUBLISHED, None)):
        drawing = draw_localization(GREY, CAMERA, localization, known)
        assert (drawing[:200, :320] == 120).all()
        assert not drawing[:200, 320:].any()


def test_the_decision_is_written_with_its_confidence_and_reason():
    assert caption(PUBLISHED) == "published: confidence 0.990, score 0.80, 2 points"
    assert caption(REJECTED) == f"not published: confidence 0.500, score 0.80, 2 points: {REASON}"
    assert caption(LOST) == f"no candidates: {LOST.reason}"
    unjudged = replace(PUBLISHED, estimate=replace(ESTIMATE, confidence=None))
    assert caption(unjudged) == "published: score 0.80, 2 points"
