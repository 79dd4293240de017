"""The points of some keyframes in the images of a rig, as one pose problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.point_choice import DISTINCTIVE
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.pose.rig_problem import joined

RIG_POINTS = 2.0
"""Of all images together, relative to those of a single one: they bound the time of a frame."""


@dataclass(frozen=True)
class RigMatches:
    """Points (M,) of keyframes, each to be found in one of C images."""

    images: Sequence[SeenImage]
    """(C,) those that the map shows something of."""
    keyframes: Sequence[list[int]]
    """What each of them is matched with."""
    point_indices: Tensor
    """(M,)."""
    problem: PoseProblem
    """Of the pose of the body."""

    @property
    def all_keyframes(self) -> list[int]:
        """Those of all images, each once."""
        return list(dict.fromkeys(one for of_image in self.keyframes for one in of_image))


def match_images(
    localizer: PlaceLocalizer,
    images: Sequence[SeenImage],
    keyframes: Sequence[list[int]],
    most_points: float = RIG_POINTS,
) -> RigMatches | None:
    """The images against the keyframes chosen for each; None where there are none for any.

    All together have at most `most_points` times the points of a single one.
    """
    seen = [pair for pair in zip(images, keyframes, strict=True) if pair[1]]
    if not seen:
        return None
    points = localizer.configuration.matching.points
    points = round(points * min(1.0, most_points / len(seen)))
    matches = [
        localizer.match(image.features, of_image, image.camera, DISTINCTIVE, points)
        for image, of_image in seen
    ]
    used = [image for image, _ in seen]
    mounting = torch.from_numpy(np.stack([image.T_view_body for image in used]))
    problem = joined([problem for _, problem in matches], mounting)
    point_indices = torch.cat([indices for indices, _ in matches])
    return RigMatches(used, [of_image for _, of_image in seen], point_indices, problem)
