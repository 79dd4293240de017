"""Writes what an evaluation found into a folder: numbers, poses, plots, and a page of it all."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.map_to_odom import corrections
from dense_reloc_ros.evaluation.metrics.reliability import Reliability
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame, contact_sheet
from dense_reloc_ros.evaluation.report.coordinate_plot import COORDINATE_CAPTION, coordinate_figure
from dense_reloc_ros.evaluation.report.failures import Failure
from dense_reloc_ros.evaluation.report.html import Picture, render_html
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
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, Summary, summarize
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.trajectory import Trajectory, format_stamp, write_tum

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


def write_report(
    folder: Path,
    records: Sequence[FrameRecord],
    run: RunInformation,
    contact_frames: Sequence[ContactFrame] = (),
    failures: Sequence[Failure] = (),
    keyframe_poses: FloatArray | None = None,
) -> Summary:
    """Writes `report.json`, `report.html`, `poses.tum`, `errors.csv` and the plots.

    `contact_frames` are the pictures of the contact sheet, `failures` what the page explains, and
    `keyframe_poses` (K, 4, 4) those of the map, to be drawn.

    Raises:
        InputError: no frames, or a folder that cannot be written to.
    """
    if not records:
        raise InputError("there are no frames to report on")
    summary = summarize(records, run)
    pictures = _pictures(records, run.method, summary.calibration, contact_frames, keyframe_poses)
    localized = {r.stamp: r.T_map_camera for r in records if r.T_map_camera is not None}
    poses = Trajectory.from_poses(list(localized), list(localized.values()))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tum(folder / "poses.tum", poses)
        _write_errors(folder / "errors.csv", records)
        for name, picture in pictures.items():
            (folder / f"{name}.png").write_bytes(picture.png)
        page = render_html(summary, list(pictures.values()), failures)
        (folder / "report.html").write_text(page, encoding="utf-8")
        text = summary.model_dump_json(indent=2)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: the report cannot be written: {error}") from None
    return summary


def _pictures(
    records: Sequence[FrameRecord],
    method: str,
    calibration: Reliability | None,
    contact_frames: Sequence[ContactFrame],
    keyframe_poses: FloatArray | None,
) -> dict[str, Picture]:
    pictures = {}
    if any(r.is_localized or r.ground_truth is not None for r in records):
        figure = trajectory_figure(records, keyframe_poses)
        pictures["trajectory"] = Picture("Trajectory", TRAJECTORY_CAPTION, _png(figure))
    if any(r.ground_truth is not None for r in records):
        pictures["errors"] = Picture("Error per frame", ERROR_CAPTION, _png(error_figure(records)))
    corrected = corrections(records)
    if corrected:
        png = _png(map_to_odom_figure(corrected))
        pictures["map_to_odom"] = Picture("Map to odometry", MAP_TO_ODOM_CAPTION, png)
    if calibration is not None:
        figure = reliability_figure(calibration)
        pictures["reliability"] = Picture("Confidence", RELIABILITY_CAPTION, _png(figure))
    curves = risk_coverage_figure(records)
    if curves is not None:
        picture = Picture("Risk and coverage", RISK_COVERAGE_CAPTION, _png(curves))
        pictures["risk_coverage"] = picture
    errors = [r.coordinate_errors for r in records if r.coordinate_errors is not None]
    if errors:
        png = _png(coordinate_figure({method: errors}))
        pictures["scene_coordinates"] = Picture("Scene coordinates", COORDINATE_CAPTION, png)
    if contact_frames:
        figure = contact_sheet(contact_frames)
        pictures["worst_frames"] = Picture("Worst frames", CONTACT_CAPTION, _png(figure))
    return pictures


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _write_errors(path: Path, records: Sequence[FrameRecord]) -> None:
    """One line a frame; empty where there is no pose, no ground truth or no measurement."""
    columns = (
        "stamp name localized translation_m rotation_deg score confidence nees_over_6 latency_ms "
        "reason"
    )
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        for record in records:
            error = record.error
            writer.writerow(
                [
                    format_stamp(record.stamp),
                    record.name,
                    int(record.is_localized),
                    None if error is None else f"{error.translation:.6f}",
                    None if error is None else f"{math.degrees(error.rotation):.6f}",
                    _rounded(record.score),
                    _rounded(record.confidence),
                    _rounded(record.normalized_error),
                    _rounded(record.latency_milliseconds),
                    record.reason,
                ]
            )


def _rounded(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
