"""One frame in, one Localization out: what all methods share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError, RelocError, TimeLimitError
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import checked_direction
from dense_reloc_ros.images.blankness import is_blank
from dense_reloc_ros.images.pixels import as_rgb
from dense_reloc_ros.localization.decision import (
    confidence_of_score,
    likeliest,
    reason_to_doubt,
)
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.query_view import reduced
from dense_reloc_ros.localization.result import (
    FeatureView,
    Localization,
    PoseEstimate,
    Status,
)
from dense_reloc_ros.pose.confidence import shipped_weights
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

LEAST_SIDE = 32
"""Pixels of an image each way."""
DEFAULT_SCORE_THRESHOLD = 0.3
"""Of maps that are not calibrated: somewhat above what wrong poses reach on calibrated ones."""


@dataclass(frozen=True)
class PoseCandidates:
    """The poses that a method finds for an image, before it is decided which to believe."""

    estimates: Sequence[PoseEstimate]
    features: DenseFeatures | None = None
    """Of the image, where the method has dense ones."""
    view: FeatureView | None = None
    """Of the features; None is the undistorted image itself."""


KnownFeatures = dict[tuple[Camera, int], DenseFeatures]
"""By the camera of a view, which says what part of an image it is, and its quarter turns."""


@dataclass(frozen=True)
class PreparedImage:
    """An undistorted image of a pinhole camera, which may be localized."""

    image: NDArray[np.uint8]
    camera: Camera
    stopwatch: Stopwatch
    refusal: Localization | None = None
    """What is said of an image that cannot be localized."""
    known_features: KnownFeatures = field(default_factory=dict)
    """Of its views that are described already."""
    up_in_camera: FloatArray | None = None
    """(3,): where the map's z is, of length 1, if that is known."""


class Localizer(ABC):
    """Localizes images against one map; `configuration` may be exchanged between two frames."""

    largest_scale = 2.0
    """Of images that a method works on, relative to the largest keyframe's width and height."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        method: str,
    ) -> None:
        self.scene_map = scene_map
        self.configuration = configuration
        self.device = device
        self.method = method
        self.max_frame_seconds: float | None = None
        """After which a frame is given up; None, for results that any computer has: never."""

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
        prior_covariance: FloatArray | None = None,
        up_in_camera: FloatArray | None = None,
    ) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` (may be distorted) was taken; grey ones, (H, W),
        are understood.

        A prior pose (4, 4) is tried besides what the image itself suggests. With its covariance
        (6, 6), in ROS order, it also tells places that look alike apart; it is dropped where the
        image contradicts it. `up_in_camera` (3,), where the map's z is in the camera, says how the
        image is turned, so that no other turns are tried. What is wrong with an image or a prior
        is the reason of the result, not an exception.
        """
        prepared = self.prepared(image, camera, up_in_camera)
        return self.localized(prepared, prior_T_map_camera, prior_covariance)

    @property
    def images_at_once(self) -> int:
        """How many are prepared together, as that takes less time than one after the other."""
        return 1

    def localize_many(
        self,
        images: Iterable[tuple[NDArray[np.uint8], Camera]],
        at_once: int | None = None,
    ) -> Iterator[Localization]:
        """Where each image was taken, as `localize` says of it and its camera alone.

        `at_once` are prepared together, or else `images_at_once`; no more of them are held.
        """
        rest = iter(images)
        while batch := list(islice(rest, at_once or self.images_at_once)):
            if len(batch) == 1:
                yield self.localize(*batch[0])
            else:
                yield from map(self.localized, self.prepared_together(batch))

    def prepared_together(
        self,
        images: Sequence[tuple[NDArray[np.uint8], Camera]],
        ups: Sequence[FloatArray | None] | None = None,
    ) -> list[PreparedImage]:
        """Images with their cameras, each as `prepared`; a method may share their work."""
        ups = ups or [None] * len(images)
        return [self.prepared(*pair, up) for pair, up in zip(images, ups, strict=True)]

    def prepared(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        up_in_camera: FloatArray | None = None,
    ) -> PreparedImage:
        """An image as it is to be localized, or why it is not."""
        stopwatch = Stopwatch(self.device, self.max_frame_seconds)
        try:
            with stopwatch.stage("undistort"):
                image, camera = self.at_working_size(as_rgb(image), camera)
                up = None if up_in_camera is None else checked_direction(up_in_camera)
                if not is_blank(image):
                    undistorted, pinhole = camera.undistort(image), camera.pinhole()
                    return PreparedImage(undistorted, pinhole, stopwatch, up_in_camera=up)
        except RelocError as error:
            return PreparedImage(image, camera, stopwatch, _refusal(error, stopwatch))
        reason = "the image shows nothing but noise: it is dark, or something covers the lens"
        refusal = Localization(Status.NO_CANDIDATES, reason, None, stopwatch.milliseconds)
        return PreparedImage(image, camera, stopwatch, refusal)

    def localized(
        self,
        prepared: PreparedImage,
        prior_T_map_camera: FloatArray | None = None,
        prior_covariance: FloatArray | None = None,
    ) -> Localization:
        """Where a prepared image was taken; see `localize`."""
        if prepared.refusal is not None:
            return prepared.refusal
        stopwatch = prepared.stopwatch
        stopwatch.begin()
        try:
            prior = None
            if prior_T_map_camera is not None:
                origin = self.scene_map.origin
                prior = PosePrior.checked(prior_T_map_camera, prior_covariance, origin)
            with torch.inference_mode():
                candidates = self.estimate(prepared, prior)
        except RelocError as error:
            return _refusal(error, stopwatch)
        return self.decide(candidates, stopwatch).shifted(self.scene_map.origin)

    def at_working_size(
        self, image: NDArray[np.uint8], camera: Camera
    ) -> tuple[NDArray[np.uint8], Camera]:
        """An image that has no more pixels than the map can make use of, with its camera.

        Raises:
            InputError: an image of another size than the camera's, or of hardly any pixels.
        """
        camera.check_image(image)
        if min(camera.width, camera.height) < LEAST_SIDE:
            raise InputError(
                f"an image of {camera.width}x{camera.height} is too small to be localized: "
                f"{LEAST_SIDE} pixels each way are the least"
            )
        _, largest = self.scene_map.keyframe_pixels
        return reduced(image, camera, self.largest_scale**2 * largest)

    def decide(self, candidates: PoseCandidates, stopwatch: Stopwatch) -> Localization:
        """The best pose, if there is enough reason to believe it.

        It is counted from the map's `origin`, as the candidates are.
        """
        milliseconds = stopwatch.milliseconds
        features, view = candidates.features, candidates.view
        best = likeliest(candidates.estimates)
        if best is None:
            reason = "too little of the map matches the image"
            return Localization(Status.NO_CANDIDATES, reason, None, milliseconds, features, view)
        best = self.judged(best)
        reason = reason_to_doubt(best, self.configuration.verification, self.score_threshold)
        status = Status.REJECTED if reason else Status.LOCALIZED
        return Localization(status, reason, best, milliseconds, features, view)

    def judged(self, estimate: PoseEstimate) -> PoseEstimate:
        """The estimate with its confidence: by its evidence and the map, or by the score alone."""
        if estimate.evidence is None:
            return replace(estimate, confidence=confidence_of_score(estimate.score))
        offset = self.scene_map.information.calibration.confidence_offset
        confidence = shipped_weights().confidence(estimate.evidence, offset)
        return replace(estimate, confidence=confidence)

    @property
    def score_threshold(self) -> float:
        """What wrong poses rarely score: the configuration's or else the map's own."""
        configured = self.configuration.verification.score_threshold
        calibrated = self.scene_map.information.calibration.score_threshold
        if configured is not None:
            return configured
        return calibrated if calibrated is not None else DEFAULT_SCORE_THRESHOLD

    @abstractmethod
    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """The best pose at each place that the image may show; none where nothing matches."""


def _refusal(error: RelocError, stopwatch: Stopwatch) -> Localization:
    """What is said of an image at which something went wrong."""
    if isinstance(error, TimeLimitError):
        return Localization(Status.NO_CANDIDATES, str(error), None, stopwatch.milliseconds)
    return Localization(Status.INVALID_INPUT, str(error))
