"""Keyframes of a map as queries whose true poses are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.photometric import PhotometricConfiguration, RandomCamera
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.nearest_poses import view_distances
from dense_reloc_ros.scene.scene_map import SceneMap

Kind = Literal["stretch", "unseen"]
"""Whether a stretch round a query is left out of the map, or all that sees any of its points."""

HELD_OUT = 24
"""Keyframes, evenly spaced, that temperatures are fitted on."""
NEAR = 0.3
"""Radius of what is left out with each of these."""
RADII = (0.1, 1.0)
"""Of the stretches that are left out round a query, as `view_distances` counts; log-uniform."""
LARGEST_ROLL = float(np.deg2rad(30.0))
ZOOMS = (0.7, 1.5)
"""Focal lengths of queries relative to the keyframe's; log-uniform."""
LIGHTS = (
    None,
    PhotometricConfiguration(target=(0.0, 1.0, 0.0)),
    PhotometricConfiguration(target=(0.0, 0.0, 1.0)),
)
"""Half of the queries are as the camera took them, the others are darkened and blurred."""
LIGHT_SHARES = (0.5, 0.25, 0.25)
PLAIN_SHARE = 0.5
"""Of the queries that are neither rolled nor zoomed."""


@dataclass(frozen=True)
class HeldOutQuery:
    """An image of a keyframe, changed as other cameras, hands and light would change it."""

    keyframe: int
    excluded: frozenset[int]
    """Keyframes that must not be used to localize it."""
    features: DenseFeatures
    camera: Camera
    T_map_camera: FloatArray
    """(4, 4), the truth."""


class HeldOut:
    """Keyframes of a map as queries that must not see themselves or what is near them."""

    def __init__(
        self,
        scene_map: SceneMap,
        image_of: Callable[[int], NDArray[np.uint8]],
        extractor: FeatureExtractor,
    ) -> None:
        self.scene_map = scene_map
        self.keyframes = _spaced(scene_map.keyframe_count, HELD_OUT)
        self._image_of = image_of
        self._extractor = extractor

    def features(self, keyframe: int) -> DenseFeatures:
        """Features of a keyframe's image."""
        return self.features_of(self._image_of(keyframe))

    def features_of(self, image: NDArray[np.uint8]) -> DenseFeatures:
        """Features of an image (H, W, 3) RGB."""
        return self._extractor(image_to_tensor(image, self._extractor.device))

    def query(self, kind: Kind, number: int, count: int) -> HeldOutQuery | None:
        """The query of a number among `count` from evenly spaced keyframes, always the same one.

        A map of fewer keyframes gives each of them several times, differently. None where nothing
        of the map is left to localize it with.
        """
        total = self.scene_map.keyframe_count
        rng = np.random.default_rng([number, int(kind == "unseen")])
        keyframe = (number * total) // count if count < total else number % total
        radius = _log_uniform(rng, RADII)
        excluded = self.stretch(keyframe, radius) if kind == "stretch" else self.witnesses(keyframe)
        if len(excluded) == total:
            return None
        image, camera = self._image_of(keyframe), self.scene_map.cameras[keyframe]
        T_map_camera = self.scene_map.keyframe_poses[keyframe].numpy()
        if rng.random() > PLAIN_SHARE:
            roll = rng.uniform(-LARGEST_ROLL, LARGEST_ROLL)
            image, camera, T_map_camera = turned(
                image, camera, T_map_camera, roll, _log_uniform(rng, ZOOMS)
            )
        light = LIGHTS[rng.choice(len(LIGHTS), p=LIGHT_SHARES)]
        if light is not None:
            image = RandomCamera(light).expose_target(image, rng).image
        features = self.features_of(image)
        return HeldOutQuery(keyframe, excluded, features, camera, T_map_camera)

    def stretch(self, keyframe: int, radius: float) -> frozenset[int]:
        """A keyframe and all whose view differs from its by less than `radius`."""
        depth = float(median_depth(self.scene_map, keyframe))
        pose = self.scene_map.keyframe_poses[keyframe]
        near = view_distances(self.scene_map.keyframe_poses, pose, depth) < radius
        return frozenset(near.nonzero()[:, 0].tolist()) | {keyframe}

    def witnesses(self, keyframe: int) -> frozenset[int]:
        """A keyframe and all that see any of its points: without them it shows nothing mapped."""
        scene_map = self.scene_map
        seen = torch.zeros(len(scene_map.points), dtype=torch.bool)
        seen[scene_map.observation_points[scene_map.observations(keyframe)].long()] = True
        others = range(scene_map.keyframe_count)
        points = (scene_map.observation_points[scene_map.observations(k)].long() for k in others)
        return frozenset(k for k, p in enumerate(points) if bool(seen[p].any())) | {keyframe}


def turned(
    image: NDArray[np.uint8], camera: Camera, T_map_camera: FloatArray, roll: float, zoom: float
) -> tuple[NDArray[np.uint8], Camera, FloatArray]:
    """An image as its camera would have taken it turned about the optical axis, and zoomed.

    `roll` is in radians; `zoom` is the focal length relative to the camera's. A longer one shows
    less of the same size, a shorter one all of it in fewer pixels; new corners are black.
    """
    size = min(1.0, zoom)
    smaller = camera.scaled(round(camera.width * size), round(camera.height * size))
    K = smaller.matrix.copy()
    K[0, 0] *= zoom / size
    K[1, 1] *= zoom / size
    R = np.array(
        [[np.cos(roll), -np.sin(roll), 0.0], [np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]]
    )
    warp = K @ R @ np.linalg.inv(camera.matrix)
    warped = cv2.warpPerspective(
        image, warp, (smaller.width, smaller.height), flags=cv2.INTER_LINEAR
    )
    changed = Camera.from_matrix(smaller.width, smaller.height, K)
    return np.asarray(warped, np.uint8), changed, T_map_camera @ se3.rigid(R.T, np.zeros(3))


def _spaced(total: int, count: int) -> list[int]:
    """Up to `count` of `total` indices, evenly spaced."""
    spaced = np.linspace(0, total - 1, min(count, total))
    return spaced.round().astype(int).tolist()


def _log_uniform(rng: Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
