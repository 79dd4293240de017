"""The report's plots: the trajectory against the ground truth, and the error of each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS, WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.stamps import NANOSECONDS

# Okabe and Ito's palette, which colour-blind people can tell apart.
GROUND_TRUTH = "#404040"
ESTIMATE = "#0072B2"
REJECTED = "#E69F00"
KEYFRAME = "#909090"
WRONG_COLOUR = "#B2182B"
WITHIN = "#009E73"
AXIS_NAMES = "xyz"
SMALLEST_DRAWN = 1e-5
"""Metres and degrees: a logarithmic axis has no zero."""
DRAWN_THRESHOLDS = ("2cm_2deg", "5cm_5deg")


def trajectory_figure(
    records: Sequence[FrameRecord], keyframe_poses: FloatArray | None = None
) -> Figure:
    """Camera positions from above, and each coordinate over time; needs at least one pose.

    Those of the map's keyframes (K, 4, 4) are drawn from above.
    """
    figure = Figure(figsize=(13, 6), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=[1, 1.15])
    above = figure.add_subplot(grid[:, 0])
    _draw_from_above(above, records, keyframe_poses)
    times = _seconds(records)
    first: Axes | None = None
    for axis in range(3):
        axes = figure.add_subplot(grid[axis, 1], sharex=first)
        first = first or axes
        _draw_coordinate(axes, records, times, axis)
        axes.tick_params(labelbottom=axis == 2)
    axes.set_xlabel("time since the first frame (s)")
    return figure


def error_figure(records: Sequence[FrameRecord]) -> Figure:
    """Translation and rotation error of each frame (log scale), rejected frames marked.

    Only frames with a ground truth are drawn.
    """
    has_truth = [record.ground_truth is not None for record in records]
    times = _seconds(records)[has_truth]
    errors = [record.error for record in records if record.ground_truth is not None]
    is_wrong = np.array([error is not None and not WRONG.holds(error) for error in errors])
    translations = [math.nan if error is None else error.translation for error in errors]
    rotations = [math.nan if error is None else math.degrees(error.rotation) for error in errors]
    bounds = [RECALL_THRESHOLDS[name] for name in DRAWN_THRESHOLDS] + [WRONG]

    figure = Figure(figsize=(13, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    _draw_errors(upper, times, np.array(translations), is_wrong)
    _draw_bounds(upper, [bound.translation_m for bound in bounds], " m")
    _draw_errors(lower, times, np.array(rotations), is_wrong)
    _draw_bounds(lower, [bound.rotation_deg for bound in bounds], "°")
    upper.set_ylabel("translation error (m)")
    lower.set_ylabel("rotation error (°)")
    lower.set_xlabel("time since the first frame (s)")
    upper.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def vertical_axis(poses: FloatArray) -> tuple[int, float]:
    """Which map axis is vertical and which way is up, from camera poses (N, 4, 4).

    Cameras are mostly held upright, so their mean up direction (-y of the optical frame) lies
    near it; maps that were not levelled have no better one.
    """
    up = -poses[:, :3, 1].mean(axis=0)
    axis = int(np.abs(up).argmax())
    return axis, math.copysign(1.0, up[axis])


def _draw_from_above(
    axes: Axes, records: Sequence[FrameRecord], keyframe_poses: FloatArray | None
) -> None:
    across, along = _horizontal_axes(records)
    truth, estimates = (points[:, [across, along]] for points in _positions(records))
    rejected = truth[[not record.is_localized for record in records]]
    axes.plot(*truth.T, color=GROUND_TRUTH, lw=1, label="ground truth")
    axes.plot(*truth[:1].T, "D", color=GROUND_TRUTH, ms=7, label="start")
    links = np.stack([truth, estimates], axis=1)
    links = links[np.isfinite(links).all(axis=(1, 2))]
    axes.add_collection(LineCollection(list(links), colors=ESTIMATE, lw=0.6, alpha=0.5))
    axes.plot(*estimates.T, "o", color=ESTIMATE, ms=3.5, label="localized")
    if np.isfinite(rejected).any():
        axes.plot(*rejected.T, "x", color=REJECTED, ms=6, label="rejected")
    if keyframe_poses is not None:
        positions = keyframe_poses[:, [across, along], 3]
        axes.plot(*positions.T, "s", color=KEYFRAME, ms=5, mfc="none", zorder=1, label="keyframe")
    title = "from above"
    if np.isfinite(truth).any():
        # A square, so that a metre is as long along both axes.
        size = float((np.nanmax(truth, axis=0) - np.nanmin(truth, axis=0)).max())
        lows, highs = np.array([_limits(coordinates, size) for coordinates in truth.T]).T
        axes.set(xlim=(lows[0], highs[0]), ylim=(lows[1], highs[1]))
        strays = int(((estimates < lows) | (estimates > highs)).any(axis=1).sum())
        title += f" ({strays} poses lie outside)" if strays else ""
    axes.set_aspect("equal")
    axes.set(xlabel=f"{AXIS_NAMES[across]} (m)", ylabel=f"{AXIS_NAMES[along]} (m)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()


def _horizontal_axes(records: Sequence[FrameRecord]) -> tuple[int, int]:
    """The map axes that point right and up in a drawing seen from above."""
    poses = [r.T_map_camera if r.ground_truth is None else r.ground_truth for r in records]
    vertical, up = vertical_axis(np.array([pose for pose in poses if pose is not None]))
    across, along = (vertical + 1) % 3, (vertical + 2) % 3
    return (across, along) if up > 0 else (along, across)


def _draw_coordinate(
    axes: Axes, records: Sequence[FrameRecord], times: FloatArray, axis: int
) -> None:
    truth, estimates = _positions(records)
    axes.plot(times, truth[:, axis], color=GROUND_TRUTH, lw=1)
    axes.plot(times, estimates[:, axis], "o", color=ESTIMATE, ms=3)
    _mark_rejected(axes, times[[not record.is_localized for record in records]])
    if np.isfinite(truth).any():
        axes.set_ylim(_limits(truth[:, axis]))
    axes.set_ylabel(f"{AXIS_NAMES[axis]} (m)")
    axes.grid(alpha=0.3)


def _limits(truth: FloatArray, size: float = 0.0) -> tuple[float, float]:
    """Limits around the ground truth, so that one stray pose does not shrink all the others.

    `size` is the least extent in metres, before the margin.
    """
    low, high = float(np.nanmin(truth)), float(np.nanmax(truth))
    half = 0.65 * max(high - low, size) + 0.1
    return (low + high) / 2 - half, (low + high) / 2 + half


def _draw_errors(
    axes: Axes, times: FloatArray, errors: FloatArray, is_wrong: NDArray[np.bool_]
) -> None:
    axes.set_yscale("log")
    errors = np.maximum(errors, SMALLEST_DRAWN)
    axes.plot(times[~is_wrong], errors[~is_wrong], "o", color=ESTIMATE, ms=4, label="localized")
    if is_wrong.any():
        axes.plot(times[is_wrong], errors[is_wrong], "s", color=WRONG_COLOUR, ms=6, label="wrong")
    _mark_rejected(axes, times[np.isnan(errors)], label="rejected")
    axes.grid(alpha=0.3, which="major")


def _draw_bounds(axes: Axes, bounds: Sequence[float], unit: str) -> None:
    """Dashed lines at the thresholds, lowest first; beyond the last one poses are wrong."""
    for bound in bounds:
        is_last = bound == bounds[-1]
        colour = WRONG_COLOUR if is_last else WITHIN
        axes.axhline(bound, color=colour, lw=1, ls="--")
        axes.annotate(
            f"{bound:g}{unit}{' (wrong above)' if is_last else ''}",
            (1.0, bound),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
        )
    # Room above the last bound, so that the marks of rejected frames are no errors.
    axes.set_ylim(top=max(axes.get_ylim()[1], 5 * bounds[-1]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _mark_rejected(axes: Axes, times: FloatArray, label: str | None = None) -> None:
    """Marks times along the upper edge, with a faint line down."""
    if not len(times):
        return
    for time in times:
        axes.axvline(time, color=REJECTED, lw=0.8, alpha=0.2)
    axes.plot(
        times,
        np.full(len(times), 0.97),
        "x",
        color=REJECTED,
        ms=5,
        transform=axes.get_xaxis_transform(),
        label=label,
    )


def _positions(records: Sequence[FrameRecord]) -> tuple[FloatArray, FloatArray]:
    """Ground truth and published positions, each (N, 3), NaN where there is none."""
    unknown = np.full(3, np.nan)
    truth = [unknown if r.ground_truth is None else r.ground_truth[:3, 3] for r in records]
    estimates = [unknown if r.T_map_camera is None else r.T_map_camera[:3, 3] for r in records]
    return np.array(truth), np.array(estimates)


def _seconds(records: Sequence[FrameRecord]) -> FloatArray:
    """Time (N,) in seconds since the first frame."""
    stamps = np.array([record.stamp for record in records], dtype=np.int64)
    return np.asarray((stamps - stamps[0]) / NANOSECONDS, dtype=np.float64)
