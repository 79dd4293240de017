"""Whether a camera of a rig hangs where its extrinsics say, by what it sees itself."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.nre import refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem


def mounting_error(
    problem: PoseProblem, found: FoundPose, camera: int, configuration: NreConfiguration
) -> FloatArray | None:
    """How a camera is moved (6,) against where the others say that it is; None if nobody knows.

    Metres and radians along and about the axes of the body. From the pose of all, both the camera
    by itself and the others are led to a pose of their own.
    """
    images = problem.images
    assert images is not None
    own = _pose_of_some(problem, found, images == camera, configuration)
    others = _pose_of_some(problem, found, images != camera, configuration)
    if own is None or others is None:
        return None
    offset = (own @ torch.linalg.inv(others)).cpu().numpy()
    return np.concatenate([offset[:3, 3], Rotation.from_matrix(offset[:3, :3]).as_rotvec()])


def _pose_of_some(
    problem: PoseProblem, found: FoundPose, chosen: Tensor, configuration: NreConfiguration
) -> Tensor | None:
    """T_body_map (4, 4), float64, that the chosen (M,) of the points have near the one found."""
    some = problem.select(chosen.nonzero()[:, 0])
    alone = refine_fine(some, found.T_camera_map[None], configuration)
    return None if alone is None or not len(alone.points) else alone.T_camera_map.double()
