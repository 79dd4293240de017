"""The picture of a frame tells a pose that was published from one that is doubted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.nodes.debug_image import (
    DOUBTED,
    LOCALIZED,
    NOT_LOCALIZED,
    caption,
    draw_localization,
)

CAMERA = Camera(320, 240, 200.0, 200.0, 159.5, 119.5)
GREY = np.full((240, 320, 3), 120, np.uint8)
POINTS = np.array([[0.0, 0.0, 2.0], [0.5, 0.2, 2.0]])
"""At the pixels (159.5, 119.5) and (209.5, 139.5) of a camera at the origin."""
ESTIMATE = PoseEstimate(np.eye(4), 1e-4 * np.eye(6), 0.8, np.arange(2), (0,), confidence=0.99)
PUBLISHED = Localization(Status.LOCALIZED, "", ESTIMATE)
REASON = "confidence 0.500 is below least_confidence 0.95"
REJECTED = Localization(Status.REJECTED, REASON, replace(ESTIMATE, confidence=0.5))
LOST = Localization(Status.NO_CANDIDATES, "too little of the map matches the image")


def colours(drawing: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in drawing.reshape(-1, 3).tolist()}


@pytest.mark.parametrize(
    ("localization", "colour"), [(PUBLISHED, LOCALIZED), (REJECTED, DOUBTED), (LOST, NOT_LOCALIZED)]
)
def test_each_decision_has_a_colour_of_its_own(localization, colour):
    drawing = draw_localization(GREY, CAMERA, localization, POINTS)
    assert colours(drawing) & {LOCALIZED, DOUBTED, NOT_LOCALIZED} == {colour}


@pytest.mark.parametrize("localization", [PUBLISHED, REJECTED])
def test_points_are_circled_where_the_pose_puts_them(localization):
    drawing = draw_localization(GREY, CAMERA, localization, POINTS)
    rows, columns = np.nonzero((drawing[:200] != 120).any(-1))
    assert set(np.round(columns / 50).astype(int)) == {3, 4}
    assert (rows.min(), rows.max()) == pytest.approx((116, 144), abs=2)


def test_the_decision_is_written_with_its_confidence_and_reason():
    assert caption(PUBLISHED) == "published: confidence 0.990, score 0.80, 2 points"
    assert caption(REJECTED) == f"not published: confidence 0.500, score 0.80, 2 points: {REASON}"
    assert caption(LOST) == f"no candidates: {LOST.reason}"
    unjudged = replace(PUBLISHED, estimate=replace(ESTIMATE, confidence=None))
    assert caption(unjudged) == "published: score 0.80, 2 points"
