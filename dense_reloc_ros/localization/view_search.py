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
from dense_reloc_ros.localization.coarse_pose import CoarsePose
from dense_reloc_ros.localization.localized_view import LocalizedView, ViewLocalizer
from dense_reloc_ros.localization.narrow_view import seen_by_little, widened
from dense_reloc_ros.localization.query_view import QueryView, magnified, turned
from dense_reloc_ros.localization.relative_view import (
    quarters_at,
    quarters_of,
    relative_view,
    roll_by_up,
)
from dense_reloc_ros.localization.view_choice import (
    ENLARGEMENT,
    NARROW_SHARES,
    ViewChoice,
    chosen_view,
    map_magnification,
    most_pixels,
)
from dense_reloc_ros.scene.scene_map import SceneMap

LARGEST_ROLL = math.radians(50.0)
"""Of a pose relative to its keyframes, from which on a turned view is better."""
CLEAR_ROLL = math.radians(30.0)
"""Left in an image that is turned by where up is, up to which no other turn is looked at."""
LARGEST_MAGNIFICATION = 1.5
"""Of things in a view relative to its keyframes, from which on another scale is better."""
SMALLER = 0.8
"""Factor on views that only have to tell which turn is right, and where to begin. Descriptors bear
with it."""
SIMILAR_EVIDENCE = 0.03
"""By how much the evidence of the right turn may be lower than that of a wrong one."""
MOST_TURNS = 2
"""Whose coarse poses are looked for, upright among them."""
CLOSE_UP = 0.42
"""Factor on views of things that may be nearer, and so larger, than in all keyframes."""
LIKELY = 0.5
"""Confidence of a pose from which an image is looked at once more."""
LEAST_CELLS = 24
"""Coarse cells that support a coarse pose worth a look.

Right ones of left-out map images and of close-ups have 40 to 180, a few 20 to 40. Of 34 images of
other places, 6 had as much in one of their views.
"""
LARGEST_RATIO = 2.0
"""Of the sizes in a view and in keyframes, at which a coarse pose is worth a look."""


@dataclass(frozen=True)
class _Start:
    """A coarse pose to localize an image from."""

    T_map_camera: FloatArray
    support: int
    """As of a `CoarsePose`."""
    like_keyframes: ViewChoice
    """The view that shows things as large as the keyframes do."""


class ViewSearch:
    """Localizes an image in one view, and in others where that is not enough."""

    def __init__(self, scene_map: SceneMap, localizer: ViewLocalizer) -> None:
        self._scene_map = scene_map
        self._localizer = localizer

    def __call__(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
        up_in_camera: FloatArray | None = None,
    ) -> LocalizedView:
        """The view of an undistorted image that scores best among those that were tried.

        A prior pose (4, 4) tells how the image may be turned; where the map's z is in the camera,
        (3,), how it is.
        """
        original = QueryView.of(image, camera)
        roll = None if up_in_camera is None else roll_by_up(self._scene_map, up_in_camera)
        return self._confirmed(original, self._search(original, prior_T_map_camera, roll))

    def _search(
        self,
        original: QueryView,
        prior_T_map_camera: FloatArray | None,
        known_roll: float | None,
    ) -> LocalizedView:
        quarters, is_turn_known = 0, False
        if known_roll is not None:
            quarters = quarters_of(known_roll)
            is_turn_known = abs(known_roll - quarters * math.pi / 2) < CLEAR_ROLL
        elif prior_T_map_camera is not None:
            quarters = quarters_at(self._scene_map, prior_T_map_camera)
        first = ViewChoice(map_magnification(self._scene_map, original.camera), quarters)
        found = self._localizer.localize(chosen_view(self._scene_map, original, first))
        if self._sure(found):
            return self._at_its_scale_and_roll(original, first, found)
        for start in self._starts(original, first, found, is_turn_known):
            if self._localizer.has_spent_all:
                break
            view = chosen_view(self._scene_map, original, start.like_keyframes)
            other = self._localizer.localize_from(view, start.T_map_camera @ view.T_camera_view)
            if other.score > found.score:
                found = other
            if self._sure(found):
                break
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
        scale = view.camera.focal_length / original.camera.focal_length
        factor = min(ENLARGEMENT * scale, max(1.0, scale))
        pixels = most_pixels(self._scene_map)
        larger = turned(magnified(original, factor, pixels), view.quarters)
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

    def _starts(
        self, original: QueryView, first: ViewChoice, found: LocalizedView, is_turn_known: bool
    ) -> Iterator[_Start]:
        """Poses that are worth a look: what the first view found, if that is likely, then coarse
        ones of views turned like it, then of others, unless it is known how the image is turned.

        Each way up is looked at about as large as the keyframes are, and as a close-up.
        """
        best, view = found.best, found.view
        if best is not None and self._localizer.confidence(best) > LIKELY:
            points = best.supporting_points
            pose = CoarsePose(best.T_map_camera, best.keyframes, points, len(points))
            yield from self._start(original, pose, view)
        small, close_up = (
            replace(first, magnification=factor * first.magnification, enlargement=1.0)
            for factor in (SMALLER, CLOSE_UP)
        )
        yield from self._best_starts(original, [small, close_up])
        if not is_turn_known and not self._localizer.has_spent_all:
            turns = [turn for turn in self._likely_turns(original, small) if turn]
            turned_views = [
                replace(choice, quarters=choice.quarters + turn)
                for turn in turns
                for choice in (small, close_up)
            ]
            yield from self._best_starts(original, turned_views)

    def _best_starts(self, original: QueryView, choices: Sequence[ViewChoice]) -> list[_Start]:
        """Those of some views that enough supports; the most supported first."""
        starts = []
        for choice in choices:
            if self._localizer.has_spent_all:
                break
            view = chosen_view(self._scene_map, original, choice)
            pose = self._localizer.coarse_pose(view)
            if pose is not None and pose.support >= LEAST_CELLS:
                starts += self._start(original, pose, view)
        return sorted(starts, key=lambda start: -start.support)

    def _by_last_resort(
        self, original: QueryView, choice: ViewChoice, found: LocalizedView
    ) -> LocalizedView:
        """The surest of what was found and of what starts from poses that nothing else gives.

        Not the one of the highest score: a pose that sees little of its keyframes again has a low
        one, as wrong poses have.
        """
        if self._sure(found):
            return found
        view = chosen_view(self._scene_map, original, choice)
        for T_map_view in self._localizer.last_starts(view):
            other = self._localizer.localize_from(view, T_map_view)
            if self._confidence(other) > self._confidence(found):
                found = other
            if self._sure(found):
                break
        return found

    def _start(self, original: QueryView, pose: CoarsePose, view: QueryView) -> list[_Start]:
        """The start at a coarse pose; none where descriptors do not bear with what it sees."""
        relative = relative_view(
            self._scene_map, pose.T_map_view, pose.supporting_points, pose.keyframes, view.camera
        )
        scale = abs(math.log(relative.magnification))
        if abs(relative.roll) >= LARGEST_ROLL or scale >= math.log(LARGEST_RATIO):
            return []
        factor = view.camera.focal_length / original.camera.focal_length / relative.magnification
        T_map_camera = pose.T_map_view @ inverse(view.T_camera_view)
        choice = ViewChoice(factor, view.quarters, enlargement=1.0)
        return [_Start(T_map_camera, pose.support, choice)]

    def _likely_turns(self, original: QueryView, choice: ViewChoice) -> list[int]:
        """The quarter turns that look most, or almost most, like any keyframe, none among them."""
        view = chosen_view(self._scene_map, original, choice)
        evidence = np.array(
            [self._localizer.evidence_in(turned(view, quarters)) for quarters in range(4)]
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
        again = self._localizer.localize(
            chosen_view(self._scene_map, original, ViewChoice(factor, quarters))
        )
        return again if again.score > found.score else found
