"""Whether a camera of a rig hangs where its extrinsics say, by what it sees itself."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.configuration import NreConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.pose.gnc import smoothed_cost
from dense_reloc_ros.pose.nre import refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem


def mounting_error(
    problem: PoseProblem, found: FoundPose, camera: int, configuration: NreConfiguration
) -> FloatArray | None:
    """How a camera is moved (6,) against where the others say that it is; None if nobody knows.

    Metres and radians along and about the axes of the body. The camera's own points give a pose of
    the body near the one of all. The latter is where the pulls of the camera and of the others, by
    their Hessians, are in balance, which tells where the others alone would have it.
    """
    images = problem.images
    assert images is not None
    own = (images == camera).nonzero()[:, 0]
    alone = refine_fine(problem.select(own), found.T_camera_map[None], configuration)
    if alone is None or not len(alone.points):
        return None
    kept = images[found.points] == camera
    of_camera = _hessian(problem, found, kept, configuration.last_sigma)
    of_others = _hessian(problem, found, ~kept, configuration.last_sigma)
    offset = (alone.T_camera_map @ torch.linalg.inv(found.T_camera_map)).double().cpu().numpy()
    turn = Rotation.from_matrix(offset[:3, :3]).as_rotvec()
    try:
        others = np.linalg.solve(of_others, of_camera @ np.concatenate([offset[:3, 3], turn]))
    except np.linalg.LinAlgError:
        return None
    error: FloatArray = np.concatenate([offset[:3, 3], turn]) + others
    return error if np.isfinite(error).all() else None


def _hessian(problem: PoseProblem, found: FoundPose, kept: Tensor, sigma: float) -> FloatArray:
    """The curvature (6, 6) of the cost of some of the points that a pose was found with."""
    points = found.points[kept]
    model = smoothed_cost(
        found.T_camera_map[None].double(),
        problem.points[points].double(),
        cameras_of(points, problem.intrinsics).double(),
        found.fine_maps.select(kept.nonzero()[:, 0]).sparse(),
        sigma,
    )
    hessian: FloatArray = model.hessian[0].cpu().numpy()
    return hessian
