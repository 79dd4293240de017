"""Says in words why poses, depth and images of a recording contradict each other."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.mapping.consistency.hypotheses import Agreement
from dense_reloc_ros.mapping.sources.pose_convention import PoseConvention

USUAL = (1.0, 10.0, 100.0, 256.0, 1000.0, 4000.0, 5000.0, 6553.5, 10000.0, 65535.0, 1e6)
"""Values per metre in which depth is often stored."""
ROUND_TOLERANCE = 0.06
PLAUSIBLE_DEPTH = (0.1, 100.0)
"""Metres, of the median."""
SCALE_DOUBT = 1.05
"""Depth that is off by less is that of an ordinary camera."""


def cause_of(
    better: Agreement, taken: PoseConvention, depth_scale: float, median_depth: float
) -> str:
    """The meaning under which all agrees, with the options that tell it.

    Args:
        better: the meaning.
        taken: how the poses were understood.
        depth_scale: values per metre of the depth, as it was understood.
        median_depth: metres, as it was understood; nan without depth.
    """
    looks, options = [], []
    other = better.convention
    if other.poses != taken.poses:
        looks.append("poses look inverted")
        options.append(f"--poses {other.poses}")
    if other.axes != taken.axes:
        names = {
            "opencv": "OpenCV's",
            "opengl": "OpenGL's",
            "ros": "those of a ROS body frame, such as the robot's base",
        }
        looks.append(f"axes look like {names[other.axes]}")
        in_bags = " (in bags --pose-frame base_link)" if other.axes == "ros" else ""
        options.append(f"--axes {other.axes}{in_bags}")
    factor = better.depth_factor
    if abs(np.log(factor)) > np.log(SCALE_DOUBT):
        of_depth = f"--depth-scale {_number(depth_scale * factor)}"
        of_poses = f"--pose-scale {_number(taken.scale / factor)}"
        low, high = PLAUSIBLE_DEPTH
        if low < median_depth < high and not low < median_depth / factor < high:
            looks.append("positions look like those in another unit than metres")
            options.append(of_poses)
        else:
            looks.append(f"depth looks {_times_too(factor)}")
            options.append(of_depth)
            if _rounded(depth_scale * factor) not in USUAL:
                options.append(f"(or {of_poses} where the positions are not metres)")
    if better.mounting is not None:
        return _other_body(better)
    return f"the {' and the '.join(looks)}: try {' '.join(options)}"


def mounting_angle(better: Agreement) -> float:
    """By how much, radians, a body is turned against the camera's optical frame."""
    if better.mounting is None:
        return 0.0
    return float(Rotation.from_matrix(better.mounting[:3, :3]).magnitude())


def _other_body(better: Agreement) -> str:
    degrees = np.rad2deg(mounting_angle(better))
    return (
        "the poses look like those of another body than the camera's optical frame, such as the "
        f"robot's base, turned by {degrees:.0f} degrees against it: name the body by --pose-frame "
        "(bags), or bring the poses to the camera"
    )


def _times_too(factor: float) -> str:
    size = f"{max(factor, 1 / factor):.3g}"
    return f"{float(size):g} times too {'large' if factor > 1 else 'small'}"


def _number(scale: float) -> str:
    rounded = _rounded(scale)
    return f"{rounded:.0f}" if rounded == round(rounded) else f"{rounded:g}"


def _rounded(scale: float) -> float:
    """A usual scale where one is near, otherwise three digits."""
    for usual in USUAL:
        if abs(np.log(scale / usual)) < np.log(1.0 + ROUND_TOLERANCE):
            return usual
    return float(f"{scale:.3g}")
