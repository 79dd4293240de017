"""Lifts the pixels of a reference that a query matches to points (DeViLoc, PIN)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.deviloc.point_aggregation import LiftedPoints
from dense_reloc_ros.deviloc.point_inference import (
    InferredDepth,
    MapImagePixels,
    PointInference,
)
from dense_reloc_ros.deviloc.reference_views import image_features
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.matching.semi_dense import SemiDenseMatches

GROUP = 160
"""Unknown pixels that look at each other, as many as in training; each group is all over the
image."""
DOUBT = 2.0
"""Factor on the deviations of depths: real rooms differ from the rendered ones that the network
learned from. On map frames of an office twice as many poses were within 2 cm as without it."""
MATCH_PIXELS = 1.5
"""Standard deviation of where a reference shows a place of the query."""


@dataclass(frozen=True)
class Reference:
    """A keyframe that a query is matched with."""

    features: DenseFeatures
    """Of its image (B = 1)."""
    observed: MapImagePixels
    """Its pixels (B = 1) of which the map has the depth."""
    camera: Camera
    T_map_camera: Tensor
    """(4, 4) float64."""


def lifted_points(
    network: PointInference, reference: Reference, matches: SemiDenseMatches
) -> LiftedPoints:
    """The points (N) that the matches of a query with a reference show, as the reference says."""
    camera, pixels = reference.camera, matches.other_pixels
    intrinsics = torch.from_numpy(camera.intrinsics).to(pixels)
    positions = (pixels - intrinsics[2:]) / intrinsics[:2]
    unknown = MapImagePixels(positions, image_features(reference.features, pixels))
    inferred = inferred_in_groups(network, reference.observed, unknown)
    rays = torch.cat([positions, torch.ones_like(positions[:, :1])], dim=-1).double()
    pose = reference.T_map_camera.to(rays)
    points = (rays * inferred.depths.double()[:, None]) @ pose[:3, :3].T + pose[:3, 3]
    angle = MATCH_PIXELS / math.sqrt(camera.fx * camera.fy)
    return LiftedPoints(
        matches.pixels.double(),
        points,
        pose[:3, 3].expand_as(points),
        torch.full_like(points[:, 0], angle),
        DOUBT * inferred.deviations.double(),
        inferred.confidence.double(),
    )


def inferred_in_groups(
    network: PointInference, observed: MapImagePixels, unknown: MapImagePixels
) -> InferredDepth:
    """Depths (N,) of unknown pixels (N, ...) of one image, in groups of `GROUP` at most.

    So the work grows with their number, and not with its square.
    """
    assert observed.depths is not None
    count = len(unknown.positions)
    groups = math.ceil(count / GROUP)
    members = -(-count // groups)
    # Pixel i belongs to group i % groups; the last ones come again where there are too few.
    index = torch.arange(groups * members, device=unknown.positions.device)
    index = index.clamp(max=count - 1).reshape(members, groups).T
    inferred = network(
        MapImagePixels(
            observed.positions.expand(groups, -1, -1),
            observed.features.expand(groups, -1, -1),
            observed.depths.expand(groups, -1),
        ),
        MapImagePixels(unknown.positions[index], unknown.features[index]),
    )
    return InferredDepth(inferred.depths.T.flatten()[:count], inferred.scales.T.flatten()[:count])
