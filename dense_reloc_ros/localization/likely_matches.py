"""Matches where a point's hallucinated map has it, and the pose that they give.

Where images share a corner, most of a keyframe's points are not in the image, and yet each has a
most similar cell there. Hallucinated maps are coarse, but leave a small part of the image for each
point, or none: the best fine cells in there are exact, and many more of them are right.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.projection import to_bearings, to_pixels
from dense_reloc_ros.neurhal.plane_problem import PlaneProblem
from dense_reloc_ros.pose.lo_ransac import robust_pose

LEAST_PROBABILITY = 1 / 40
"""Of a point in a cell of the plane, where it is looked for in the image.

Chosen on rendered rooms and on map frames of real ones."""
INLIER_CELLS = 2.0
"""Reprojection error of a match that agrees, in cells of the fine level."""
ITERATIONS = 2000
"""Of RANSAC at most."""
NOWHERE = -2.0
"""Less than any similarity."""


def pose_by_likely_matches(
    features: DenseFeatures, intrinsics: Tensor, plane: PlaneProblem, descriptors: Tensor
) -> Tensor | None:
    """RE's pose T_camera_map (4, 4) by the likely matches of points; None where too few agree.

    A match is the most similar one of a point's likely cells that is no more like another point
    which is as likely to be there.

    Args:
        features: of the image.
        intrinsics: (4,) fx, fy, cx, cy of the image in pixels.
        plane: M points with their hallucinated maps.
        descriptors: (M, C) of these points at the fine level.
    """
    level = features.levels["fine"]
    height, width = level.values.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = level.cells_to_pixels(torch.stack([columns, rows], dim=-1).float())
    there = to_pixels(to_bearings(pixels, intrinsics), plane.intrinsics)
    seen = plane.may_be_seen(LEAST_PROBABILITY).nonzero()[:, 0]
    if not len(seen):
        return None
    unlikely = ~plane.is_likely(seen, there, LEAST_PROBABILITY).flatten(1)
    similarity = (descriptors[seen].to(level.values) @ level.values[0].flatten(1)).cpu()
    best = similarity.masked_fill_(unlikely, NOWHERE).max(1)
    back = similarity[:, best.indices].argmax(0)
    mutual = (best.values > NOWHERE) & (back == torch.arange(len(back)))
    order = best.values.argsort(descending=True, stable=True)
    order = order[mutual[order]]
    return robust_pose(
        pixels.flatten(0, 1)[best.indices[order]],
        plane.points[seen[order]],
        intrinsics,
        INLIER_CELLS * level.stride,
        ITERATIONS,
    )
