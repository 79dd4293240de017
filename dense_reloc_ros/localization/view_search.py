"""Which view of a query to localize: only what is unsure in the first one is looked at again.

Dense descriptors bear with about 45 degrees of roll and a factor of 1.4 in scale between the view
and the keyframes; views make up for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.localized_view import LocalizedView, ViewLocalizer
from dense_reloc_ros.localization.narrow_view import seen_by_little, widened
from dense_reloc_ros.localization.query_view import QueryView, magnified, turned
from dense_reloc_ros.localization.relative_view import quarters_at, relative_view
from dense_reloc_ros.localization.single_keyframes import KeyframePose
from dense_reloc_ros.scene.scene_map import SceneMap

MOST_PIXELS = 1.3
"""Of a view, relative to those of the largest keyframe: they bound the time of a frame."""
LARGEST_ROLL = math.radians(50.0)
"""Of a pose relative to its keyframes, from which on a turned view is better."""
LARGEST_MAGNIFICATION = 1.5
"""Of things in a view relative to its keyframes, from which on another scale is better."""
REDUCED_PIXELS = 150_000
"""Of views that only have to tell which turn is right."""
SIMILAR_EVIDENCE = 0.03
"""By how much the evidence of the right turn may be lower than that of a wrong one."""
MOST_TURNS = 2
"""That are looked at in full."""
LEAST_REDUCTION = 0.6
"""Factor on their size that descriptors still bear with."""
NARROW_SHARES = (0.2, 0.3)
"""Of the pixels of the smallest keyframe: views between these are narrow.

Still narrower ones are localized like others. Of 100 sure poses of held-out views with a share of
0.06 to 0.2 that were matched as narrow ones, two were more than ten times as far off as their
covariance said; of 98 with more, none was.
"""
CLOSE_UP = 0.5
"""Factor on views of things that may be nearer, and so larger, than in all keyframes."""
SIZES = (1.0, 0.42)
"""Factors on views in which each keyframe is tried alone: things may be nearer, and so larger."""
LARGEST_RATIO = 2.0
"""Of the sizes in a view and in a keyframe, at which a pose by it alone is worth a look."""
MOST_STARTS = 3
"""Poses by single keyframes that are looked at in full."""
ENLARGEMENT = 1.4
"""Of narrow views: poses are found more exactly, and descriptors still bear with it."""


@dataclass(frozen=True)
class ViewChoice:
    """One view among those that an image has."""

    magnification: float
    """Of the focal length."""
    quarters: int = 0
    """Quarter turns counterclockwise."""
    enlargement: float = ENLARGEMENT
    """Besides, where the view is narrow."""


@dataclass(frozen=True)
class _Start:
    """A coarse pose to localize an image from."""

    pose: KeyframePose
    T_map_camera: FloatArray
    like_keyframe: ViewChoice
    """The view that shows things as large as the keyframe does."""


class ViewSearch:
    """Localizes an image in one view, and in others where that is not enough."""

    def __init__(self, scene_map: SceneMap, localizer: ViewLocalizer) -> None:
        self._scene_map = scene_map
        self._localizer = localizer
        smallest, largest = scene_map.keyframe_pixels
        self._pixels = round(MOST_PIXELS * largest)
        self._narrow_pixels = tuple(share * smallest for share in NARROW_SHARES)

    def __call__(
        self, image: NDArray[np.uint8], camera: Camera, prior_T_map_camera: FloatArray | None = None
    ) -> LocalizedView:
        """The view of an undistorted image that scores best among those that were tried.

        A prior pose (4, 4) tells how the image is turned.
        """
        original = QueryView.of(image, camera)
        return self._confirmed(original, self._search(original, prior_T_map_camera))

    def _search(self, original: QueryView, prior_T_map_camera: FloatArray | None) -> LocalizedView:
        quarters = 0
        if prior_T_map_camera is not None:
            quarters = quarters_at(self._scene_map, prior_T_map_camera)
        first = ViewChoice(map_magnification(self._scene_map, original.camera), quarters)
        found = self._localizer.localize(self.view(original, first))
        if self._sure(found):
            return self._at_its_scale_and_roll(original, first, found)
        turns = self._likely_turns(original, first)
        for choice in self._other_choices(first, found.view.is_narrow, turns):
            other = self._localizer.localize(self.view(original, choice))
            if other.score > found.score:
                found = other
            if self._sure(found):
                return self._at_its_scale_and_roll(original, choice, found)
        found = self._by_single_keyframes(original, first, turns, found)
        return self._by_last_resort(original, first, found)

    def _confirmed(self, original: QueryView, found: LocalizedView) -> LocalizedView:
        """What a larger view says near a sure pose, where the camera sees but a small angle.

        Rays that are almost parallel hardly tell depth: a pose that is off explains such an image
        almost as well. The larger view decides, whether it is sure or not, and with lower odds. The
        covariance is that of the view in its own size: larger pixels are no more of them.
        """
        view = found.view
        share = original.camera.field_of_view / self._scene_map.least_field_of_view
        if view.is_narrow or share >= NARROW_SHARES[0]:
            return found
        if found.best is None or not self._sure(found):
            return found
        factor = min(ENLARGEMENT * view.camera.focal_length / original.camera.focal_length, 1.0)
        larger = turned(magnified(original, factor, self._pixels), view.quarters)
        enlargement = larger.camera.focal_length / view.camera.focal_length
        larger = replace(larger, enlargement=enlargement, is_narrow=True)
        T_map_camera = found.best.T_map_camera @ inverse(view.T_camera_view)
        again = self._localizer.localize_from(larger, T_map_camera @ larger.T_camera_view)
        estimates = [widened(estimate, enlargement**2) for estimate in again.estimates]
        return replace(again, estimates=[seen_by_little(one, share) for one in estimates])

    def _sure(self, found: LocalizedView) -> bool:
        return found.best is not None and self._localizer.is_sure(found.best)

    def _confidence(self, found: LocalizedView) -> float:
        return 0.0 if found.best is None else self._localizer.confidence(found.best)

    def view(self, original: QueryView, choice: ViewChoice) -> QueryView:
        """The chosen view of an image."""
        view = magnified(original, choice.magnification, self._pixels)
        least, most = self._narrow_pixels
        if least <= view.camera.width * view.camera.height < most:
            factor = choice.enlargement
            view = magnified(original, factor * choice.magnification, self._pixels)
            view = replace(view, enlargement=factor, is_narrow=True)
        return turned(view, choice.quarters)

    def _other_choices(
        self, choice: ViewChoice, is_narrow: bool, turns: Sequence[int]
    ) -> Iterator[ViewChoice]:
        """What is worth a look in full where a first view is unsure.

        In a narrow view, things may be larger than in the keyframes as they are nearer, too.
        """
        if is_narrow:
            yield replace(choice, enlargement=1.0)
        for quarters in turns:
            turned_choice = replace(choice, quarters=choice.quarters + quarters)
            if quarters:
                yield turned_choice
            if not is_narrow:
                yield replace(turned_choice, magnification=CLOSE_UP * choice.magnification)

    def _by_single_keyframes(
        self, original: QueryView, choice: ViewChoice, turns: Sequence[int], found: LocalizedView
    ) -> LocalizedView:
        """The best of a view and of those that start from poses by single keyframes."""
        starts: dict[int, _Start] = {}
        for quarters in sorted({0, *turns}):
            for factor in SIZES:
                quarters_there = choice.quarters + quarters
                size = ViewChoice(factor * choice.magnification, quarters_there, enlargement=1.0)
                for start in self._starts(self.view(original, size), size):
                    best = starts.get(start.pose.keyframe)
                    if best is None or start.pose.support > best.pose.support:
                        starts[start.pose.keyframe] = start
        for start in sorted(starts.values(), key=lambda start: -start.pose.support)[:MOST_STARTS]:
            view = self.view(original, start.like_keyframe)
            T_map_view = start.T_map_camera @ view.T_camera_view
            other = self._localizer.localize_from(view, T_map_view)
            if other.score > found.score:
                found = other
            if self._sure(found):
                break
        return found

    def _by_last_resort(
        self, original: QueryView, choice: ViewChoice, found: LocalizedView
    ) -> LocalizedView:
        """The surest of what was found and of what starts from poses that nothing else gives.

        Not the one of the highest score: a pose that sees little of its keyframes again has a low
        one, as wrong poses have.
        """
        if self._sure(found):
            return found
        view = self.view(original, choice)
        for T_map_view in self._localizer.last_starts(view):
            other = self._localizer.localize_from(view, T_map_view)
            if self._confidence(other) > self._confidence(found):
                found = other
            if self._sure(found):
                break
        return found

    def _starts(self, view: QueryView, choice: ViewChoice) -> Iterator[_Start]:
        """The poses by single keyframes at which things look as descriptors bear with."""
        for pose in self._localizer.poses_by_keyframes(view):
            relative = relative_view(
                self._scene_map,
                pose.T_map_view,
                pose.supporting_points,
                (pose.keyframe,),
                view.camera,
            )
            scale = abs(math.log(relative.magnification))
            if abs(relative.roll) < LARGEST_ROLL and scale < math.log(LARGEST_RATIO):
                like_keyframe = replace(
                    choice, magnification=choice.magnification / relative.magnification
                )
                yield _Start(pose, pose.T_map_view @ inverse(view.T_camera_view), like_keyframe)

    def _likely_turns(self, original: QueryView, choice: ViewChoice) -> list[int]:
        """The quarter turns that look most, or almost most, like any keyframe, none among them.

        A reduced size is enough to tell them from the others.
        """
        view = self.view(original, choice)
        factor = math.sqrt(REDUCED_PIXELS / (view.camera.width * view.camera.height))
        small = magnified(view, float(np.clip(factor, LEAST_REDUCTION, 1.0)), self._pixels)
        evidence = np.array(
            [self._localizer.evidence_in(turned(small, quarters)) for quarters in range(4)]
        )
        likely = evidence >= evidence.max() - SIMILAR_EVIDENCE
        order = [int(quarters) for quarters in np.argsort(-evidence) if likely[quarters]]
        return order[:MOST_TURNS]

    def _at_its_scale_and_roll(
        self, original: QueryView, choice: ViewChoice, found: LocalizedView
    ) -> LocalizedView:
        """Once more where the pose says that the view is not like the keyframes."""
        if found.best is None:
            return found
        relative = relative_view(
            self._scene_map,
            found.best.T_map_camera,
            found.best.supporting_points,
            found.best.keyframes,
            found.view.camera,
        )
        magnification = relative.magnification / found.view.enlargement
        is_turned = abs(relative.roll) > LARGEST_ROLL
        is_scaled = abs(math.log(magnification)) > math.log(LARGEST_MAGNIFICATION)
        if not (self._sure(found) and (is_turned or is_scaled)):
            return found
        factor = choice.magnification / (magnification if is_scaled else 1.0)
        quarters = choice.quarters + (relative.quarters if is_turned else 0)
        again = self._localizer.localize(self.view(original, ViewChoice(factor, quarters)))
        return again if again.score > found.score else found


def map_magnification(scene_map: SceneMap, camera: Camera) -> float:
    """What makes the focal length of a camera the nearest that the keyframes have."""
    focal = camera.focal_length
    return float(np.clip(focal, *scene_map.focal_lengths)) / focal
