"""Places among the retrieved keyframes: those that see common points belong together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dense_reloc_ros.scene.scene_map import SceneMap


def covisibility_clusters(
    scene_map: SceneMap, keyframes: list[int], common_points: int
) -> list[list[int]]:
    """Groups of keyframes connected by at least `common_points` common points each.

    Keyframes come best first; so do the groups, by their best member, and the members of a group.
    Each group is one place to localize against, so that one wrong top keyframe does not decide
    (thesis A.2.1.3).
    """
    rows = np.repeat(np.arange(len(keyframes)), scene_map.arrays.counts(keyframes))
    points = scene_map.arrays.seen_by_all(keyframes)
    _, columns = np.unique(points, return_inverse=True)
    sees = coo_array((np.ones(len(rows), np.int32), (rows, columns))).tocsr()
    common = (sees @ sees.T).toarray() >= common_points
    _, labels = connected_components(common, directed=False)
    clusters: dict[int, list[int]] = {}
    for keyframe, label in zip(keyframes, labels.tolist(), strict=True):
        clusters.setdefault(label, []).append(keyframe)
    return list(clusters.values())
