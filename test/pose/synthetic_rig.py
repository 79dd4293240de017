"""Rigs of cameras that each see random points of their own, around one body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pose.synthetic import View, random_view, with_outliers
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.geometry.se3 import PoseError, inverse, pose_error, rigid, transformed
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.pose.rig_problem import joined


@dataclass(frozen=True)
class RigView:
    """What the cameras of a rig see."""

    views: Sequence[View]
    """Of each camera, with its points in the map frame."""
    T_camera_body: Tensor
    """(C, 4, 4)."""
    T_body_map: Tensor
    """(4, 4), the truth."""

    def error(self, T_body_map: Tensor) -> PoseError:
        """How far a pose (4, 4) is from the truth."""
        return pose_error(
            inverse(T_body_map.double().numpy()), inverse(self.T_body_map.double().numpy())
        )

    def problems(self, share: float, kind: str) -> list[PoseProblem]:
        """Of each camera alone, with a share of outliers."""
        return [with_outliers(view, share, kind, i) for i, view in enumerate(self.views)]

    def problem(self, share: float = 0.0, kind: str = "wrong") -> PoseProblem:
        """Of all together."""
        return joined(self.problems(share, kind), self.T_camera_body)


def surround_rig(
    cameras: int, points: int, seed: int, dtype: torch.dtype = torch.float32
) -> RigView:
    """Cameras that look evenly in all directions, 15 cm from the middle of a body."""
    rng = np.random.default_rng(seed + 77)
    T_body_map = rigid(Rotation.random(random_state=rng).as_matrix(), rng.normal(0, 3, 3))
    views, mounting = [], []
    for camera in range(cameras):
        turn = Rotation.from_euler("y", 2 * np.pi * camera / cameras).as_matrix()
        T_camera_body = inverse(rigid(turn, turn @ [0.0, 0.05 * camera, 0.15]))
        T_camera_map = T_camera_body @ T_body_map
        view = random_view(points, 10 * seed + camera, torch.float64)
        T_map_view = inverse(T_camera_map) @ view.T_camera_map.numpy()
        moved = torch.from_numpy(transformed(T_map_view, view.points.numpy()))
        parts = (moved, view.pixels, torch.from_numpy(T_camera_map))
        views.append(View(*(part.to(dtype) for part in parts)))
        mounting.append(T_camera_body)
    T_camera_body, T_body_map = (
        torch.from_numpy(pose).to(dtype) for pose in (np.stack(mounting), T_body_map)
    )
    return RigView(views, T_camera_body, T_body_map)
