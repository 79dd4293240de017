"""What points gain over an outlier where poses put them: what poses are compared by."""

from __future__ import annotations

from torch import Tensor

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import Cameras, cameras_by_point
from dense_reloc_ros.pose.compiled_gains import gains_of_poses
from dense_reloc_ros.pose.loss_maps import LossMaps


def gains_at_poses(
    maps: LossMaps, points: Tensor, intrinsics: Cameras, T_camera_map: Tensor
) -> Tensor:
    """The gains (B, M) of points (M, 3) at poses (B, 4, 4): ln|Ω| less the terms of eq. 4.6."""
    if T_camera_map.device.type != "cpu":
        return maps.gains_at(project(T_camera_map, points, intrinsics)[0])
    gains = gains_of_poses(
        T_camera_map,
        points,
        *cameras_by_point(intrinsics),
        maps.stride,
        maps.offset,
        maps.gains,
        maps.origins,
    )
    return gains.to(maps.gains)
