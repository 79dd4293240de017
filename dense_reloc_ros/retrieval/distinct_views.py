"""Which of the best keyframes are worth matching: those that add another view of the place."""

from __future__ import annotations

import math

import numpy as np

from dense_reloc_ros.scene.scene_map import SceneMap

SAME_TURN = math.radians(5.0)


def distinct_views(
    scene_map: SceneMap, ranked: list[int], count: int, baseline_share: float
) -> list[int]:
    """Up to `count` of the `ranked` keyframes, best first, that are not near-duplicates.

    Points of keyframes from one spot share the errors of what they were made from; other views of
    the same place average them out. A keyframe is a near-duplicate of a better one when it looks
    the same way, to 5°, and its baseline is below `baseline_share` of the median depth. Where the
    distinct ones are fewer than `count`, near-duplicates fill up, best first.
    """
    poses = scene_map.arrays.poses
    kept: list[int] = []
    left_out: list[int] = []
    for keyframe in ranked:
        if len(kept) == count:
            break
        others = poses[kept]
        baseline = np.linalg.norm(others[:, :3, 3] - poses[keyframe, :3, 3], axis=-1)
        same_way = others[:, :3, 2] @ poses[keyframe, :3, 2] > math.cos(SAME_TURN)
        near = baseline < baseline_share * median_depth(scene_map, keyframe)
        (left_out if (same_way & near).any() else kept).append(keyframe)
    return kept + left_out[: count - len(kept)]


def median_depth(scene_map: SceneMap, keyframe: int) -> float:
    """Median distance in metres along the optical axis of the points that a keyframe sees."""
    arrays = scene_map.arrays
    pose, seen = arrays.poses[keyframe], arrays.points[arrays.seen(keyframe)]
    depth = (seen.astype(np.float64) - pose[:3, 3]) @ pose[:3, 2]
    if not len(depth):
        return 0.0
    middle = (len(depth) - 1) // 2  # the lower one of two
    return float(np.partition(depth, middle)[middle])
