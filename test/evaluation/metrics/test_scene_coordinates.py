"""Errors of scene coordinates that are known, and their plots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scene.wall import CAMERA, WALL_DEPTH, wall_frame

from dense_reloc_ros.evaluation.metrics.scene_coordinates import (
    CoordinateErrors,
    coordinate_errors,
    summarize_coordinates,
)
from dense_reloc_ros.evaluation.report.coordinate_plot import coordinate_figure
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import SceneCoordinates

FRAME = wall_frame(0, (0.1, -0.2, 0.3), 12.0)


def on_the_wall(rows: int, columns: int, camera: Camera = CAMERA) -> np.ndarray:
    """The points (rows, columns, 3) of the wall at the centres of equal cells of the image."""
    pose = FRAME.known_pose()
    y, x = np.indices((rows, columns))
    x = (x + 0.5) * camera.width / columns - 0.5
    y = (y + 0.5) * camera.height / rows - 0.5
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.matrix).T
    rays = rays @ pose[:3, :3].T
    return pose[:3, 3] + rays * ((WALL_DEPTH - pose[2, 3]) / rays[..., 2])[..., None]


def prediction(shift: float = 0.0) -> SceneCoordinates:
    """The wall, moved along x; its candidates are moved by 10, 20, ... cm along z."""
    points = on_the_wall(12, 16) + np.array([shift, 0, 0])
    candidates = np.stack([on_the_wall(6, 8) + np.array([0, 0, 0.1 * (k + 1)]) for k in range(4)])
    return SceneCoordinates(points, np.ones((12, 16)), candidates)


def test_errors_are_distances_from_what_depth_says():
    errors = coordinate_errors(prediction(0.07), FRAME.load_depth(), CAMERA, FRAME.known_pose())
    assert errors.points.shape == (12 * 16,)
    np.testing.assert_allclose(errors.points, 0.07, atol=3e-3)
    np.testing.assert_allclose(errors.candidates, [0.1, 0.2, 0.3, 0.4], atol=3e-3)


def test_only_cells_with_depth_count():
    depth = FRAME.load_depth().copy()
    depth[:, :80] = 0.0
    errors = coordinate_errors(prediction(0.07), depth, CAMERA, FRAME.known_pose())
    assert len(errors.points) == 12 * 8


def test_missing_candidates_do_not_count():
    whole = prediction()
    candidates = whole.candidates.copy()
    candidates[1, :3] = np.nan
    candidates[1, 3:] += [0, 0, 0.1]
    candidates[3] = np.nan
    partly = replace(whole, candidates=candidates)
    errors = coordinate_errors(partly, FRAME.load_depth(), CAMERA, FRAME.known_pose())
    np.testing.assert_allclose(errors.candidates[:3], [0.1, 0.3, 0.3], atol=3e-3)
    assert np.isnan(errors.candidates[3])


def test_distorted_cameras_are_compared_without_their_distortion():
    bent = Camera(160, 120, 150.0, 150.0, 79.5, 59.5, "plumb_bob", (0.3, 0.0, 0.0, 0.0))
    # A plane at right angles to the camera reads the same everywhere, bent or not.
    pose, depth = np.eye(4), np.full((120, 160), 2.0, np.float32)
    y, x = np.indices((12, 16)) * 10.0 + 4.5
    points = np.stack([(x - 79.5) / 75, (y - 59.5) / 75, np.full_like(x, 2.0)], axis=-1)
    coordinates = SceneCoordinates(points, np.ones((12, 16)), points[None, ::2, ::2])
    errors = coordinate_errors(coordinates, depth, bent, pose)
    assert np.median(errors.points) < 1e-5


def some_errors(points: list[float], candidates: list[float]) -> CoordinateErrors:
    return CoordinateErrors(np.array(points, np.float32), np.array(candidates))


def test_the_summary_is_over_all_cells_of_all_images():
    summary = summarize_coordinates(
        [
            some_errors([0.005, 0.03, 0.3], [0.1, 0.5, np.nan]),
            some_errors([0.015, 0.6], [0.3, np.nan, np.nan]),
        ]
    )
    assert summary.cells == 5
    assert summary.median_m == pytest.approx(0.03)
    assert summary.within == {
        "1cm": 0.2,
        "2cm": 0.4,
        "5cm": pytest.approx(0.6),
        "10cm": pytest.approx(0.6),
        "20cm": pytest.approx(0.6),
        "50cm": 0.8,
    }
    assert summary.candidates_m == [pytest.approx(0.2), pytest.approx(0.5), None]


@pytest.mark.parametrize("errors", [[], [some_errors([], [0.1])]])
def test_without_depth_there_is_no_summary(errors):
    assert summarize_coordinates(errors) is None


def test_the_figure_shows_the_share_of_cells_below_each_error():
    errors = [some_errors([0.1, 0.2, 0.4, 0.9], [0.1, 0.3]), some_errors([0.1], [0.3, 0.5])]
    figure = coordinate_figure({"one": errors, "other": errors[:1]})
    shares, candidates = figure.axes
    for limit, one, other in ((9.0, 0, 0), (15.0, 40, 25), (30.0, 60, 50), (50.0, 80, 75)):
        lines = [np.interp(limit, *line.get_data()) for line in shares.lines]
        assert lines == [pytest.approx(one), pytest.approx(other)]
    np.testing.assert_allclose(candidates.lines[0].get_xydata(), [[1, 20], [2, 40]])
    assert [text.get_text() for text in shares.get_legend().get_texts()] == ["one", "other"]
