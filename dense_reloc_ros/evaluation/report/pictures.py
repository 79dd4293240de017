"""All plots of a report, each drawn by itself: one that fails is left out, the others stay."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.map_to_odom import corrections
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame, contact_sheet
from dense_reloc_ros.evaluation.report.coordinate_plot import COORDINATE_CAPTION, coordinate_figure
from dense_reloc_ros.evaluation.report.html import Picture
from dense_reloc_ros.evaluation.report.map_to_odom_plot import (
    MAP_TO_ODOM_CAPTION,
    map_to_odom_figure,
)
from dense_reloc_ros.evaluation.report.plots import error_figure, trajectory_figure
from dense_reloc_ros.evaluation.report.reliability_plot import reliability_figure
from dense_reloc_ros.evaluation.report.risk_coverage_plot import (
    RISK_COVERAGE_CAPTION,
    risk_coverage_figure,
)
from dense_reloc_ros.evaluation.report.run_summary import Summary
from dense_reloc_ros.geometry.arrays import FloatArray

logger = logging.getLogger(__name__)

TRAJECTORY_CAPTION = (
    "Camera positions: where the pictures were taken (line), where they were localized (dots), "
    "frames without a pose (crosses), and the map's keyframes (squares)."
)
ERROR_CAPTION = (
    "Error of each frame on a logarithmic scale; crosses along the upper edge are frames "
    "without a pose."
)
RELIABILITY_CAPTION = (
    "How often the best pose of a frame, published or not, would not mislead a robot (is within "
    "0.25 m and 10°), by its confidence. Bins of few frames say little: see how far their "
    "intervals reach."
)
CONTACT_CAPTION = (
    "The published poses that are furthest off, worst first, then frames without a pose. "
    "The points are the map's, in the keyframes that the frame was localized against; ground truth "
    "and published pose put them at the same place where the pose is right."
)


class Drawing(NamedTuple):
    """A plot that only some reports have."""

    title: str
    caption: str
    draw: Callable[[], Figure | None]


def draw_pictures(
    records: Sequence[FrameRecord],
    summary: Summary,
    contact_frames: Sequence[ContactFrame],
    keyframe_poses: FloatArray | None,
    drawings: Mapping[str, Drawing] | None = None,
) -> dict[str, Picture]:
    """The plots that there is something for, and further ones, by the names of their files."""
    pictures: dict[str, Picture] = {}

    def add(name: str, title: str, caption: str, draw: Callable[[], Figure | None]) -> None:
        with left_out(f"the plot '{name}'"):
            if figure := draw():
                pictures[name] = Picture(title, caption, _png(figure))

    with_truth = any(r.ground_truth is not None for r in records)
    if with_truth or any(r.is_localized for r in records):
        add(
            "trajectory",
            "Trajectory",
            TRAJECTORY_CAPTION,
            lambda: trajectory_figure(records, keyframe_poses),
        )
    if with_truth:
        add("errors", "Error per frame", ERROR_CAPTION, lambda: error_figure(records))
    if corrected := corrections(records):
        title = "Map to odometry"
        add("map_to_odom", title, MAP_TO_ODOM_CAPTION, lambda: map_to_odom_figure(corrected))
    if calibration := summary.calibration:
        add(
            "reliability",
            "Confidence",
            RELIABILITY_CAPTION,
            lambda: reliability_figure(calibration),
        )
    curves = "Risk and coverage"
    add("risk_coverage", curves, RISK_COVERAGE_CAPTION, lambda: risk_coverage_figure(records))
    if errors := [r.coordinate_errors for r in records if r.coordinate_errors is not None]:
        add(
            "scene_coordinates",
            "Scene coordinates",
            COORDINATE_CAPTION,
            lambda: coordinate_figure({summary.method: errors}),
        )
    if contact_frames:
        add("worst_frames", "Worst frames", CONTACT_CAPTION, lambda: contact_sheet(contact_frames))
    for name, drawing in (drawings or {}).items():
        add(name, *drawing)
    return pictures


@contextmanager
def left_out(part: str) -> Iterator[None]:
    """Goes on where a part of a report fails: the results are written already."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # whatever the libraries that draw raise
        logger.warning("the report lacks %s: %s", part, " ".join(str(error).split()))
        logger.debug("", exc_info=True)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
