"""Which view of a query to localize: only what is unsure in the first one is looked at again.

Dense descriptors bear with about 45 degrees of roll and a factor of 1.4 in scale between the view
and the keyframes (`scene_map`'s images); views make up for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.localizer import PoseCandidates
from dense_reloc_ros.localization.query_view import QueryView, focal_length, magnified, turned
from dense_reloc_ros.localization.relative_view import relative_view
from dense_reloc_ros.localization.result import FeatureView, PoseEstimate
from dense_reloc_ros.scene.scene_map import SceneMap

MOST_PIXELS = 1.3
"""Of a view, relative to those of the largest keyframe: they bound the time of a frame."""
LARGEST_ROLL = math.radians(50.0)
"""Of a pose relative to its keyframes, from which on a turned view is better."""
LARGEST_MAGNIFICATION = 1.5
"""Of things in a view relative to its keyframes, from which on another scale is better."""
REDUCED_PIXELS = 150_000
"""Of views that only have to tell which turn is right."""
LEAST_REDUCTION = 0.6
"""Factor on their size that descriptors still bear with."""


@dataclass(frozen=True)
class ViewChoice:
    """One view among those that an image has."""

    magnification: float
    """Of the focal length."""
    quarters: int = 0
    """Quarter turns counterclockwise."""


@dataclass(frozen=True)
class LocalizedView:
    """What was found in one view."""

    view: QueryView
    features: DenseFeatures
    estimates: Sequence[PoseEstimate]
    """Their poses are T_map_view."""

    @property
    def best(self) -> PoseEstimate | None:
        """The pose with the highest score."""
        return max(self.estimates, key=lambda estimate: estimate.score, default=None)

    @property
    def score(self) -> float:
        """That of the best pose, 0 where there is none."""
        return 0.0 if self.best is None else self.best.score

    def candidates(self) -> PoseCandidates:
        """The same with the poses of the query's camera, T_map_camera.

        Their covariances are the same: those are of the camera's centre, and of rotations about
        the axes of the map.
        """
        T_view_camera = inverse(self.view.T_camera_view)
        estimates = [
            replace(estimate, T_map_camera=estimate.T_map_camera @ T_view_camera)
            for estimate in self.estimates
        ]
        view = FeatureView(self.view.camera, self.view.T_camera_view)
        return PoseCandidates(estimates, self.features, view)


LocalizeView = Callable[[QueryView], LocalizedView]
EvidenceIn = Callable[[QueryView], float]
"""How much a view looks like any keyframe."""


class ViewSearch:
    """Localizes an image in one view, and in others where that is not enough."""

    def __init__(
        self,
        scene_map: SceneMap,
        localize: LocalizeView,
        evidence_in: EvidenceIn,
        sure: float,
    ) -> None:
        self._scene_map = scene_map
        self._localize = localize
        self._evidence_in = evidence_in
        self._sure = sure
        cameras = scene_map.cameras
        self._pixels = round(MOST_PIXELS * max(c.width * c.height for c in cameras))

    def __call__(
        self, image: NDArray[np.uint8], camera: Camera, quarters: int = 0
    ) -> LocalizedView:
        """The view of an undistorted image that scores best among those that were tried.

        `quarters` are the turns that are likely to make the image like the keyframes.
        """
        original = QueryView.of(image, camera)
        choice = ViewChoice(map_magnification(self._scene_map, camera), quarters)
        found = self._localize(self.view(original, choice))
        if found.score < self._sure:
            likelier = self._likeliest_turn(original, choice)
            if likelier != choice:
                other = self._localize(self.view(original, likelier))
                if other.score > found.score:
                    found, choice = other, likelier
        return self._at_its_scale_and_roll(original, choice, found)

    def view(self, original: QueryView, choice: ViewChoice) -> QueryView:
        """The chosen view of an image."""
        whole = magnified(original, choice.magnification, self._pixels)
        return turned(whole, choice.quarters)

    def _likeliest_turn(self, original: QueryView, choice: ViewChoice) -> ViewChoice:
        """The quarter turn that looks most like any keyframe, at a reduced size."""
        view = self.view(original, choice)
        factor = math.sqrt(REDUCED_PIXELS / (view.camera.width * view.camera.height))
        small = magnified(view, float(np.clip(factor, LEAST_REDUCTION, 1.0)), self._pixels)
        evidence = [self._evidence_in(turned(small, quarters)) for quarters in range(4)]
        return ViewChoice(choice.magnification, (choice.quarters + int(np.argmax(evidence))) % 4)

    def _at_its_scale_and_roll(
        self, original: QueryView, choice: ViewChoice, found: LocalizedView
    ) -> LocalizedView:
        """Once more where the pose says that the view is not like the keyframes."""
        if found.best is None:
            return found
        relative = relative_view(self._scene_map, found.best, found.view.camera)
        is_turned = abs(relative.roll) > LARGEST_ROLL
        is_scaled = abs(math.log(relative.magnification)) > math.log(LARGEST_MAGNIFICATION)
        if found.score < self._sure or not (is_turned or is_scaled):
            return found
        factor = choice.magnification / (relative.magnification if is_scaled else 1.0)
        quarters = choice.quarters + (relative.quarters if is_turned else 0)
        again = self._localize(self.view(original, ViewChoice(factor, quarters)))
        return again if again.score > found.score else found


def map_magnification(scene_map: SceneMap, camera: Camera) -> float:
    """What makes the focal length of a camera the nearest that the keyframes have."""
    focal_lengths = [focal_length(keyframe) for keyframe in scene_map.cameras]
    focal = focal_length(camera)
    return float(np.clip(focal, min(focal_lengths), max(focal_lengths))) / focal
