"""Coarse poses of an image by NeurHal's maps of what some keyframes of a map see (thesis 5.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.network_image import network_image, network_intrinsics
from dense_reloc_ros.localization.likely_matches import pose_by_likely_matches
from dense_reloc_ros.neurhal.hallucinator import NeurHal, TargetView
from dense_reloc_ros.neurhal.hallucinator_weights import open_hallucinator
from dense_reloc_ros.neurhal.keyframe_points import KeyframeSources
from dense_reloc_ros.neurhal.plane_problem import PlaneProblem
from dense_reloc_ros.neurhal.variants import NeurHalVariant
from dense_reloc_ros.pose.nre import coarse_poses
from dense_reloc_ros.scene.scene_map import SceneMap


@dataclass(frozen=True)
class Target:
    """An image as both networks see it."""

    view: TargetView
    view_intrinsics: Tensor
    """(4,) fx, fy, cx, cy of the image that NeurHal sees."""
    features: DenseFeatures
    intrinsics: Tensor
    """(4,) of the image that has the features."""


@dataclass(frozen=True)
class CoarsePoses:
    """T_camera_map of an image by the points of some keyframes."""

    by_maps: Tensor
    """(B, 4, 4), the cheapest on the hallucinated maps first."""
    by_matches: Tensor
    """(1, 4, 4) by likely matches, or (0, 4, 4) where too few agree."""


class HallucinatedPoses:
    """Finds poses by the points of keyframes, whether the image shows them or not."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        variant: NeurHalVariant,
        device: torch.device,
        network: NeurHal | None = None,
    ) -> None:
        """Raises ConfigurationError without weights, and MapError for a map without images."""
        weights = configuration.neurhal.weights
        self._network = network or open_hallucinator(
            variant, device, Path(weights) if weights else None
        )
        self._map, self._device = scene_map, device
        self._sources = KeyframeSources(scene_map, self._network, device)

    def target(self, image: NDArray[np.uint8], camera: Camera, features: DenseFeatures) -> Target:
        """What is needed of an undistorted image (H, W, 3) with its features, for any keyframes."""
        size = self._network.image_size
        intrinsics = network_intrinsics(camera, size).float().to(self._device)
        inputs = network_image(image, size, self._device)
        view = self._network.target_view(inputs, intrinsics[None])
        own = torch.from_numpy(camera.intrinsics).float()
        return Target(view, intrinsics, features, own)

    def around(
        self, target: Target, keyframes: Sequence[int], configuration: LocalizerConfiguration
    ) -> CoarsePoses:
        """The poses by the points of the keyframes together."""
        points = configuration.neurhal.points
        sources = [self._sources.of(keyframe, points) for keyframe in keyframes]
        maps = [
            self._network.match(source.view, target.view, source.pixels, source.depths)
            for source in sources
        ]
        found = [source.points for source in sources]
        plane = PlaneProblem.joined(maps, found, target.view_intrinsics)
        observations = torch.cat([source.observations for source in sources])
        descriptors = self._map.descriptors["fine"][observations].float()
        poses = coarse_poses(plane, configuration.nre, None)
        matched = pose_by_likely_matches(target.features, target.intrinsics, plane, descriptors)
        return CoarsePoses(poses, poses[:0] if matched is None else matched[None])
