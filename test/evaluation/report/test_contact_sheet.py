from __future__ import annotations

import cv2
import numpy as np

from dense_reloc_ros.evaluation.report.contact_sheet import (
    ContactFrame,
    contact_sheet,
    rejected_frames,
    worst_frames,
)
from dense_reloc_ros.geometry.camera import Camera

CAMERA = Camera(64, 48, 50.0, 55.0, 31.0, 24.0)


def project(points: np.ndarray, T_map_camera: np.ndarray) -> np.ndarray:
    rotation = cv2.Rodrigues(T_map_camera[:3, :3].T)[0]
    translation = -T_map_camera[:3, :3].T @ T_map_camera[:3, 3]
    return cv2.projectPoints(points, rotation, translation, CAMERA.matrix, None)[0][:, 0]


def test_points_are_drawn_where_both_poses_see_them(make_record):
    record = make_record(0, metres=0.1, degrees=1.0)
    rng = np.random.default_rng(0)
    in_camera = rng.uniform([-1, -0.7, 4], [1, 0.7, 6], (40, 3))
    in_camera[0] = [0.0, 0.0, -5.0]
    points = in_camera @ record.ground_truth[:3, :3].T + record.ground_truth[:3, 3]
    image = np.zeros((48, 64, 3), np.uint8)
    figure = contact_sheet([ContactFrame(record, image, CAMERA, points)])
    truth, estimate = (line.get_xydata() for line in figure.axes[0].lines)
    # The first point lies behind the camera.
    np.testing.assert_allclose(truth, project(points[1:], record.ground_truth), atol=1e-6)
    expected = project(points[1:], record.T_map_camera)
    inside = np.isfinite(estimate).all(axis=1)
    assert inside.sum() > 30
    np.testing.assert_allclose(estimate[inside], expected[inside], atol=1e-6)


def test_worst_frames_are_those_furthest_off(make_record):
    records = [make_record(i, metres=0.01 * i) for i in range(8)]
    records.append(make_record(8, degrees=45.0))
    records.append(make_record(9, localized=False))
    assert [record.stamp // 100_000_000 for record in worst_frames(records, 3)] == [8, 7, 6]


def test_without_ground_truth_the_worst_have_the_lowest_score(make_record):
    records = [make_record(i, ground_truth=False, score=s) for i, s in enumerate([0.9, 0.2, 0.5])]
    assert [record.score for record in worst_frames(records, 2)] == [0.2, 0.5]


def test_rejected_frames_are_spread_over_the_run(make_record):
    records = [make_record(i, localized=i % 2 == 0) for i in range(11)]
    picked = [record.stamp // 100_000_000 for record in rejected_frames(records, 3)]
    assert picked == [1, 5, 9]
    assert rejected_frames(records[:1]) == []
