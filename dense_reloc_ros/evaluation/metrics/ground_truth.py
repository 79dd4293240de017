"""Which frames have a ground truth of their time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.trajectory import DEFAULT_TOLERANCE, Trajectory, format_stamp
from dense_reloc_ros.stamps import NANOSECONDS

TOLERANCE_MS = DEFAULT_TOLERANCE * 1000 // NANOSECONDS


def check_ground_truth(stamps: Sequence[int], ground_truth: Trajectory) -> None:
    """Checks that a ground truth fits frames by time.

    Args:
        stamps: of the frames, nanoseconds.
        ground_truth: the true poses.

    Raises:
        InputError: it has no pose of the time of any frame; says how far both are apart.
    """
    times = np.array(stamps, dtype=np.int64)
    if not len(times) or (ground_truth.nearest(times) >= 0).any():
        return
    nearest = ground_truth.nearest(times, tolerance=np.iinfo(np.int64).max // 2)
    gap = np.abs(ground_truth.stamps[nearest] - times).min() / NANOSECONDS
    first, last = (format_stamp(ground_truth.stamps[i]) for i in (0, -1))
    raise InputError(
        f"none of the {len(times)} frames has a ground truth within {TOLERANCE_MS} ms: the nearest "
        f"is {gap:.4g} s away (frames from {format_stamp(times.min())} s to "
        f"{format_stamp(times.max())} s, ground truth from {first} s to {last} s); give both the "
        "same clock"
    )


def coverage(evaluated: int, frames: int) -> str:
    """How many frames have a ground truth, in words."""
    return f"{evaluated} of {frames} frames have a ground truth within {TOLERANCE_MS} ms"
