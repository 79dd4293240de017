"""Keyframes of a map as queries whose true poses are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.images.photometric import PhotometricConfiguration, RandomCamera
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.nearest_poses import nearest_poses
from dense_reloc_ros.scene.scene_map import SceneMap

HELD_OUT = 24
"""Keyframes, evenly spaced, that are localized against the others."""
EXCLUDED_SHARE = 0.1
"""Of the keyframes: the nearest to a held-out one are left out with it."""
MEDIUM_LIGHT = PhotometricConfiguration(target=(0.0, 1.0, 0.0))
BAD_LIGHT = PhotometricConfiguration(target=(0.0, 0.0, 1.0))
"""The worst that the training of features knows."""
WORSE_LIGHT = BAD_LIGHT.model_copy(
    update={
        "gamma": 4.0,
        "gain": 0.02,
        "mean": 0.003,
        "motion": 40.0,
        "defocus": 5.0,
        "covered": 0.7,
        "photons": 20.0,
        "read_noise": 0.06,
    }
)
"""So bad that two of three poses are wrong."""


class HeldOut:
    """Keyframes of a map as queries that must not see themselves or their neighbours."""

    def __init__(
        self,
        scene_map: SceneMap,
        image_of: Callable[[int], NDArray[np.uint8]],
        extractor: FeatureExtractor,
    ) -> None:
        count = min(HELD_OUT, scene_map.keyframe_count)
        spaced = np.linspace(0, scene_map.keyframe_count - 1, count)
        self.keyframes: list[int] = spaced.round().astype(int).tolist()
        self.scene_map = scene_map
        self._image_of = image_of
        self._extractor = extractor

    def features(self, keyframe: int) -> DenseFeatures:
        """Features of a keyframe's image."""
        return self.features_of(self._image_of(keyframe))

    def in_light(self, keyframe: int, light: PhotometricConfiguration) -> DenseFeatures:
        """Features of a keyframe's image taken by a random camera, always the same one."""
        camera, rng = RandomCamera(light), np.random.default_rng(keyframe)
        return self.features_of(camera.expose_target(self._image_of(keyframe), rng).image)

    def features_of(self, image: NDArray[np.uint8]) -> DenseFeatures:
        """Features of an image (H, W, 3) RGB."""
        return self._extractor(image_to_tensor(image, self._extractor.device))

    def neighbours(self, keyframe: int) -> frozenset[int]:
        """A keyframe and those nearest to it, a tenth of all."""
        scene_map = self.scene_map
        depth = float(median_depth(scene_map, keyframe))
        count = max(1, round(EXCLUDED_SHARE * scene_map.keyframe_count))
        pose = scene_map.keyframe_poses[keyframe]
        return frozenset(nearest_poses(scene_map, pose, depth, count)) | {keyframe}

    def witnesses(self, keyframe: int) -> frozenset[int]:
        """A keyframe and all that see any of its points: without them it shows nothing mapped."""
        scene_map = self.scene_map
        seen = torch.zeros(len(scene_map.points), dtype=torch.bool)
        seen[scene_map.observation_points[scene_map.observations(keyframe)].long()] = True
        others = range(scene_map.keyframe_count)
        points = (scene_map.observation_points[scene_map.observations(k)].long() for k in others)
        return frozenset(k for k, p in enumerate(points) if bool(seen[p].any())) | {keyframe}
