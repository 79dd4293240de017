"""Localizes rigs: several images with one pose, of several cameras or of one at several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from dense_reloc_ros.configuration import RigConfiguration
from dense_reloc_ros.errors import RelocError, TimeLimitError
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.images.pixels import as_rgb
from dense_reloc_ros.localization.decision import contradict, with_rivals
from dense_reloc_ros.localization.localizer import PoseCandidates, PreparedImage
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.relative_view import quarters_at
from dense_reloc_ros.localization.result import (
    FeatureView,
    Localization,
    PoseEstimate,
    Status,
)
from dense_reloc_ros.localization.rig_images import RigImage, SeenImage
from dense_reloc_ros.localization.rig_matching import match_images
from dense_reloc_ros.localization.rig_places import (
    MOST_TRIED,
    RigPlace,
    joint_evidence,
    keyframes_at,
    keyframes_in_sight,
    rig_places,
)
from dense_reloc_ros.localization.rig_verification import RigVerifier
from dense_reloc_ros.localization.rig_views import seen_images
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.localization.sure_camera import confirmed_pose
from dense_reloc_ros.stopwatch import Stopwatch

PROMISING = 0.05
"""Confidence of a pose from which the images are looked at once more."""
AS_MUCH_ALIKE = 0.9
"""Share of the evidence at a sure pose from which on another place must be tried, too."""
LEAST_SHARE = 0.2
"""Of the support that an image would have if all had the same, where the pose must be its own."""


class RigLocalizer:
    """Finds the one pose of a body by all of its images; with a localizer of single ones."""

    def __init__(self, localizer: SparseToDenseLocalizer) -> None:
        self.localizer = localizer
        self._verifier = RigVerifier(localizer)

    def localize(
        self,
        images: Sequence[RigImage],
        prior_T_map_body: FloatArray | None = None,
        prior_covariance: FloatArray | None = None,
    ) -> Localization:
        """Where the body was; `T_map_camera` of the result is T_map_body.

        A prior pose (4, 4) is looked at first, and with its covariance (6, 6) other poses count
        only where none is sure that it has room for. What is wrong with an image is the reason of
        the result, not an exception.
        """
        localizer = self.localizer
        stopwatch = Stopwatch(localizer.device, localizer.max_frame_seconds)
        try:
            prior = None
            if prior_T_map_body is not None:
                origin = localizer.scene_map.origin
                prior = PosePrior.checked(prior_T_map_body, prior_covariance, origin)
            with torch.inference_mode():
                (first,) = seen_images(localizer, images[:1], stopwatch)
                estimates = self._estimates(images, first, prior, stopwatch)
            if prior is not None:
                expected = [one for one in estimates if prior.allows(one.T_map_camera)]
                estimates = expected if any(map(self._is_sure, expected)) else estimates
        except TimeLimitError as error:
            return Localization(Status.NO_CANDIDATES, str(error), None, stopwatch.milliseconds)
        except RelocError as error:
            return Localization(Status.INVALID_INPUT, str(error))
        view = FeatureView(first.camera, se3.inverse(images[0].T_body_camera) @ first.T_body_view)
        found = localizer.decide(PoseCandidates(estimates, first.features, view), stopwatch)
        return found.shifted(localizer.scene_map.origin)

    def _estimates(
        self,
        images: Sequence[RigImage],
        first: SeenImage,
        prior: PosePrior | None,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """The pose that the first camera is sure of and others confirm, or else by all of them."""
        localizer = self.localizer
        if prior is None and len(images) > 1:
            confirmed = confirmed_pose(localizer, self._verifier, images, first, stopwatch)
            if confirmed is not None:
                return [confirmed]
        seen = [first, *seen_images(localizer, images[1:], stopwatch)]
        predicted = None if prior is None else prior.T_map_camera
        estimates = self.estimate(seen, stopwatch, predicted)
        if not any(map(self._is_sure, estimates)):
            estimates += self._by_one_image(images, seen, stopwatch)
        return self._surest(estimates)

    def _surest(self, estimates: Sequence[PoseEstimate]) -> list[PoseEstimate]:
        """Of poses that agree with each other the surest, whatever their scores.

        The score of a single image is often higher than that of all together.
        """
        kept: list[PoseEstimate] = []
        for one in sorted(estimates, key=self.localizer.confidence, reverse=True):
            if all(contradict(other, one, other.depth or 1.0) for other in kept):
                kept.append(one)
        return kept

    def localize_seen(
        self, images: Sequence[SeenImage], predicted_T_map_body: FloatArray | None = None
    ) -> Localization:
        """Where the body was, from the map's `origin` on, by images that are known already.

        The first of them is the newest. It must support the pose, too: the others alone would tell
        where a robot is by odometry that was carried away since.
        """
        stopwatch = Stopwatch(self.localizer.device)
        found = self._surest(self.estimate(images, stopwatch, predicted_T_map_body))
        best = max(found, key=lambda one: one.score, default=None)
        if best is None or best.first_share < LEAST_SHARE / len(images):
            found = []
        return self.localizer.decide(PoseCandidates(found), stopwatch)

    def estimate(
        self,
        images: Sequence[SeenImage],
        stopwatch: Stopwatch,
        predicted_T_map_body: FloatArray | None = None,
    ) -> list[PoseEstimate]:
        """The best pose in places that the images may show, up to a sure one, and elsewhere if it
        looks alike.

        First in the place of a predicted pose (4, 4), if there is one.
        """
        localizer, options = self.localizer, self.localizer.configuration.retrieval
        with stopwatch.stage("retrieval"):
            places = rig_places(images, localizer.scene_map, options)
        estimates = []
        if predicted_T_map_body is not None:
            estimates = self._near(images, predicted_T_map_body, stopwatch)
        tried = 0
        for place in places[: MOST_TRIED * options.clusters]:
            estimates += self.estimate_in(images, [place], stopwatch)
            tried += 1
            if any(map(self._is_sure, estimates)):
                break
        estimates += self._guided(images, estimates, stopwatch)
        return estimates + self._rivals(images, places[tried:], estimates, stopwatch)

    def estimate_in(
        self,
        images: Sequence[SeenImage],
        places: Sequence[RigPlace],
        stopwatch: Stopwatch,
        prior_T_map_body: FloatArray | None = None,
    ) -> list[PoseEstimate]:
        """The best pose in each place."""
        estimates = []
        for place in places:
            with stopwatch.stage("matching"):
                matches = match_images(self.localizer, images, place.keyframes)
            if matches is None:
                continue
            with stopwatch.stage("pose"):
                found = self.localizer.find_pose(matches.problem, prior_T_map_body)
            if found is not None:
                with stopwatch.stage("verification"):
                    estimates.append(self._verifier.verified(matches, found))
        return estimates

    def _is_sure(self, estimate: PoseEstimate) -> bool:
        return self.localizer.is_sure(estimate)

    def _guided(
        self,
        images: Sequence[SeenImage],
        estimates: Sequence[PoseEstimate],
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """Once more from the likeliest pose, with the keyframes that look like the images there,
        and up to a sure one with those that see the most of what there is to see.
        """
        scene_map, options = self.localizer.scene_map, self.localizer.configuration.retrieval
        found: list[PoseEstimate] = []
        for is_similar in (True, False):
            best = max([*estimates, *found], key=self.localizer.confidence, default=None)
            if best is None or self.localizer.confidence(best) < PROMISING or self._is_sure(best):
                break
            pose = best.T_map_camera
            if is_similar:
                depth = best.depth or 1.0
                with stopwatch.stage("retrieval"):
                    keyframes = keyframes_at(images, scene_map, options, pose, depth)
                found += self.estimate_in(images, [RigPlace(pose, 0.0, keyframes)], stopwatch, pose)
            else:
                found += self._near(images, pose, stopwatch)
        return found

    def _near(
        self, images: Sequence[SeenImage], T_map_body: FloatArray, stopwatch: Stopwatch
    ) -> list[PoseEstimate]:
        """The best pose with the keyframes that see the most of what there is to see at a pose."""
        scene_map, options = self.localizer.scene_map, self.localizer.configuration.retrieval
        with stopwatch.stage("retrieval"):
            keyframes = keyframes_in_sight(images, scene_map, options, T_map_body)
        place = RigPlace(T_map_body, 0.0, keyframes)
        return self.estimate_in(images, [place], stopwatch, T_map_body)

    def _rivals(
        self,
        images: Sequence[SeenImage],
        untried: Sequence[RigPlace],
        estimates: Sequence[PoseEstimate],
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """A pose in a place that was not tried, but looks as much like the images as a sure one."""
        best = max(estimates, key=lambda estimate: estimate.score, default=None)
        if best is None or not self._is_sure(with_rivals(best, estimates)):
            return []
        scene_map, depth = self.localizer.scene_map, best.depth or 1.0
        there = joint_evidence(images, scene_map, best.T_map_camera, depth)
        similar = [place for place in untried if place.evidence >= AS_MUCH_ALIKE * there]
        return self.estimate_in(images, similar[:1], stopwatch)

    def _by_one_image(
        self, images: Sequence[RigImage], seen: Sequence[SeenImage], stopwatch: Stopwatch
    ) -> list[PoseEstimate]:
        """By the image that looks most like a keyframe, in all views; then by all from there.

        So rigs are found that hang turned in the map, or that see things from much nearer.
        """
        best = max(range(len(seen)), key=lambda number: seen[number].ranked.best_evidence)
        image, localizer = images[best], self.localizer
        pixels, camera = localizer.at_working_size(as_rgb(image.image), image.camera)
        query = PreparedImage(
            camera.undistort(pixels), camera.pinhole(), stopwatch, up_in_camera=image.up_in_camera
        )
        alone = localizer.estimate(query, None)
        options = localizer.configuration.rig
        moved = [_on_body(estimate, image, options) for estimate in alone.estimates]
        first = max(moved, key=lambda estimate: estimate.score, default=None)
        if first is None or first.score < localizer.score_threshold:
            return moved
        T_map_body = first.T_map_camera
        turns = [
            quarters_at(localizer.scene_map, T_map_body @ image.T_body_camera) for image in images
        ]
        again = seen_images(localizer, images, stopwatch, turns) if any(turns) else list(seen)
        return moved + self._near(again, T_map_body, stopwatch)


def _on_body(estimate: PoseEstimate, image: RigImage, options: RigConfiguration) -> PoseEstimate:
    """The estimate of a camera's pose as one of the body's, with the errors of its extrinsics."""
    T_camera_body = se3.inverse(image.T_body_camera)
    pose, covariance = base_pose(estimate.T_map_camera, estimate.covariance, T_camera_body)
    of_extrinsics = image.extrinsics_covariance(options)
    if of_extrinsics is not None:
        turn = np.kron(np.eye(2), pose[:3, :3])
        covariance = covariance + turn @ of_extrinsics @ turn.T
    return replace(estimate, T_map_camera=pose, covariance=covariance)
