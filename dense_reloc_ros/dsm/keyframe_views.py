"""Keyframes of a map as views of the scene; what was computed of some of them is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.dsm.coordinate_pyramid import coordinate_pyramid
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher
from dense_reloc_ros.dsm.scene_views import Pyramid, SceneViews
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.images.network_image import network_image, network_intrinsics
from dense_reloc_ros.scene.coordinate_grid import cell_points
from dense_reloc_ros.scene.scene_map import SceneMap


@dataclass(frozen=True)
class _View:
    features: Pyramid
    """Each (C, h, w)."""
    coordinates: Pyramid
    """Each (3, h, w)."""

    @property
    def bytes(self) -> int:
        return sum(level.nbytes for level in (*self.features, *self.coordinates))


class KeyframeViews:
    """Features and coordinates of a map's keyframes, computed when they are first asked for."""

    def __init__(self, scene_map: SceneMap, matcher: SceneMatcher, device: torch.device) -> None:
        """Raises MapError for a map without images and coordinates."""
        if scene_map.coordinates is None or scene_map.images is None:
            raise MapError(
                f"the map has no coordinates or images, which method '{matcher.name}' needs: "
                "build it with --coordinates"
            )
        self._coordinates, self._images = scene_map.coordinates, scene_map.images
        self._map, self._matcher, self._device = scene_map, matcher, device
        self._views: OrderedDict[int, _View] = OrderedDict()

    @property
    def cached_bytes(self) -> int:
        """Memory of the views that are kept."""
        return sum(view.bytes for view in self._views.values())

    def of(self, keyframes: Sequence[int], cache_bytes: int) -> SceneViews:
        """The views (B = 1) of some keyframes; of those used least recently, only so much is kept.

        Raises:
            MapError: the image of a keyframe cannot be read.
        """
        views = [self._view(keyframe) for keyframe in keyframes]
        while self._views and self.cached_bytes > cache_bytes:
            self._views.popitem(last=False)
        T_camera_map = inverse_tensor(self._map.keyframe_poses[list(keyframes)])
        size = self._matcher.image_size
        intrinsics = [network_intrinsics(self._map.cameras[k], size) for k in keyframes]
        return SceneViews(
            features=_stacked([view.features for view in views]),
            coordinates=_stacked([view.coordinates for view in views]),
            T_camera_map=T_camera_map[None].float().to(self._device),
            intrinsics=torch.stack(intrinsics)[None].float().to(self._device),
        )

    def _view(self, keyframe: int) -> _View:
        if keyframe not in self._views:
            size = self._matcher.image_size
            image = network_image(self._images(keyframe), size, self._device)
            features = self._matcher.pyramid(image)
            finest = features[-1].shape[-2:]
            coordinates = self._grid(keyframe, (finest[0], finest[1])).to(self._device)
            self._views[keyframe] = _View(
                tuple(level[0] for level in features),
                coordinate_pyramid(coordinates, len(features)),
            )
        self._views.move_to_end(keyframe)
        return self._views[keyframe]

    def _grid(self, keyframe: int, size: tuple[int, int]) -> Tensor:
        """The coordinate map (3, h, w) of a keyframe in another size than it is stored in."""
        stored = self._coordinates[keyframe]
        if tuple(stored.shape[:2]) == size:
            return stored.permute(2, 0, 1)
        pose = self._map.keyframe_poses[keyframe].numpy()
        depth = torch.from_numpy((stored.double().numpy() - pose[:3, 3]) @ pose[:3, 2])
        resized = torch.nn.functional.interpolate(depth[None, None], size, mode="nearest-exact")
        points = cell_points(resized[0, 0].numpy(), self._map.cameras[keyframe], pose)
        return torch.from_numpy(points.astype(np.float32)).permute(2, 0, 1)


def _stacked(pyramids: Sequence[Pyramid]) -> Pyramid:
    """Levels (1, N, ...) of N pyramids."""
    return tuple(torch.stack(levels)[None] for levels in zip(*pyramids, strict=True))
