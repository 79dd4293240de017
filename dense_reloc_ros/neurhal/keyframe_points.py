"""Keyframes of a map as NeurHal's source images; what was computed of some of them is kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.images.network_image import network_image, network_intrinsics
from dense_reloc_ros.neurhal.hallucinator import NeurHal, SourceView
from dense_reloc_ros.scene.scene_map import SceneMap

KEPT = 64
"""Keyframes, those used last, whose views are kept, of the compact variant half a megabyte each."""


@dataclass(frozen=True)
class KeyframePoints:
    """Points that a keyframe sees, and its image as the network sees it."""

    view: SourceView
    pixels: Tensor
    """(1, N, 2) of the network's image."""
    depths: Tensor
    """(1, N), metres along the optical axis."""
    points: Tensor
    """(N, 3), metres in the map frame."""
    observations: Tensor
    """(N,) of the points by the keyframe, indices of the map's."""


class KeyframeSources:
    """The keyframes of a map, each seen by the network when it is first asked for."""

    def __init__(self, scene_map: SceneMap, network: NeurHal, device: torch.device) -> None:
        """Raises MapError for a map without images."""
        if scene_map.images is None:
            raise MapError(
                f"the map has no images, which method '{network.name}' needs: build it with "
                "--store-images"
            )
        self._map, self._images = scene_map, scene_map.images
        self._network, self._device = network, device
        self._kept: OrderedDict[tuple[int, int], KeyframePoints] = OrderedDict()

    def of(self, keyframe: int, count: int) -> KeyframePoints:
        """`count` of the points of a keyframe, evenly among them; all where it has fewer.

        Raises:
            MapError: its image cannot be read.
        """
        key = keyframe, count
        if key not in self._kept:
            self._kept[key] = self._seen(keyframe, count)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _seen(self, keyframe: int, count: int) -> KeyframePoints:
        size = self._network.image_size
        camera = self._map.cameras[keyframe]
        image = network_image(self._images(keyframe), size, self._device)
        intrinsics = network_intrinsics(camera, size)[None].float().to(self._device)
        every = self._map.observations(keyframe)
        total = every.stop - every.start
        observations = every.start + torch.linspace(0, total - 1, min(count, total)).round().long()
        points = self._map.points[self._map.observation_points[observations]].float()
        T_camera_map = inverse_tensor(self._map.keyframe_poses[keyframe])
        depths = (points.double() @ T_camera_map[2, :3] + T_camera_map[2, 3]).float()
        scale = torch.tensor([size[1] / camera.width, size[0] / camera.height])
        pixels = (self._map.observation_pixels[observations] + 0.5) * scale - 0.5
        return KeyframePoints(
            self._network.source_view(image, intrinsics),
            pixels[None].to(self._device),
            depths[None].to(self._device),
            points.to(self._device),
            observations,
        )
