"""Scenes for DSM's training that can be computed by hand, and small rendered ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dense_reloc_ros.dsm.coordinate_pyramid import coordinate_pyramid, coordinates_of_depth
from dense_reloc_ros.dsm.scene_views import SceneViews
from dense_reloc_ros.training.data.sources import RoomScenesConfiguration
from dense_reloc_ros.training.examples import SceneBatch

STRIDES = (8, 4)
HEIGHT, WIDTH = 48, 64


def plane_batch() -> SceneBatch:
    """Two queries before a wall in 4 m, and a scene image of it from 1 m to the right.

    All cameras look along the map's z axis, with f = 50 pixels.
    """
    to_the_right = torch.eye(4)
    to_the_right[0, 3] = 1.0
    camera = torch.tensor([50.0, 50.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    return SceneBatch(
        image=torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)),
        depth=torch.full((2, HEIGHT, WIDTH), 4.0),
        T_map_camera=torch.eye(4).expand(2, 4, 4).clone(),
        intrinsics=camera.expand(2, 4),
        scene_images=torch.rand(2, 1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)),
        scene_depth=torch.full((2, 1, HEIGHT, WIDTH), 4.0),
        T_map_scene=to_the_right.expand(2, 1, 4, 4).clone(),
        scene_intrinsics=camera.expand(2, 1, 4),
        place=torch.tensor([0, 1]),
    )


def views_of(batch: SceneBatch, features: tuple[Tensor, ...] = ()) -> SceneViews:
    """The scene images of a batch, without features unless there are some."""
    coordinates = coordinates_of_depth(
        batch.scene_depth, batch.T_map_scene, batch.scene_intrinsics, STRIDES[-1]
    )
    return SceneViews(
        features,
        coordinate_pyramid(coordinates, len(STRIDES)),
        torch.linalg.inv(batch.T_map_scene),
        batch.scene_intrinsics,
    )


def small_scenes(cache: Path, **values: object) -> RoomScenesConfiguration:
    """Few and small frames of a room, rendered into a folder."""
    few = {"rooms": 1, "frames": 8, "width": 96, "height": 72, "scene_images": 2}
    return RoomScenesConfiguration(cache=cache, **{"overlap": 0.2, **few, **values})
