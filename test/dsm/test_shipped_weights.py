from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from dense_reloc_ros.dsm.coordinate_pyramid import coordinate_pyramid, coordinates_of_depth
from dense_reloc_ros.dsm.matcher_weights import FOLDER, open_scene_matcher
from dense_reloc_ros.dsm.pose import find_pose
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher, create_scene_matcher
from dense_reloc_ros.dsm.scene_views import SceneViews
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.rendering.paths import mapping_motion
from dense_reloc_ros.rendering.random_room import random_room
from dense_reloc_ros.rendering.raycaster import Raycaster

CPU = torch.device("cpu")
CAMERA = Camera(256, 192, 210.0, 210.0, 127.5, 95.5)
INTRINSICS = torch.tensor([210.0, 210.0, 127.5, 95.5])
SEED = 2300
"""Of a room that the weights have not seen and that no number is reported of."""


def test_the_description_is_of_these_weights():
    description = json.loads((FOLDER / "dsm_compact.json").read_text())
    content = (FOLDER / "dsm_compact.safetensors").read_bytes()
    assert description["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert description["network"] == "dsm_compact"
    matcher = open_scene_matcher("dsm_compact", CPU)
    assert description["parameters"] == sum(v.numel() for v in matcher.state_dict().values())
    assert all(one["source"]["kind"] == "room_scenes" for one in description["data"])


@pytest.fixture(scope="module")
def room() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (4, 3, H, W), depth (4, H, W) and T_map_camera (4, 4, 4): a query and what is near."""
    room = random_room(SEED)
    raycaster = Raycaster(room)
    walk = mapping_motion(room.walkway, 60, SEED).T_map_camera[[10, 9, 11, 12]]
    views = [raycaster.render(CAMERA, pose) for pose in walk]
    noise = default_rng(0).normal(0, 2, (4, 192, 256, 3))
    images = np.clip(np.stack([view.image for view in views]) + noise, 0, 255)
    return (
        torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255,
        torch.from_numpy(np.stack([view.depth for view in views])).float(),
        torch.from_numpy(walk).float(),
    )


@torch.inference_mode()
def localized(matcher: SceneMatcher, room) -> tuple[float, float, float]:
    """The median error of the coordinates in metres, and that of the pose in metres and degrees."""
    images, depth, poses = room
    coordinates = coordinates_of_depth(depth, poses, INTRINSICS.expand(4, 4), 4)
    features = matcher.pyramid(images)
    views = SceneViews(
        tuple(level[None, 1:] for level in features),
        coordinate_pyramid(coordinates[None, 1:], 2),
        torch.linalg.inv(poses[None, 1:]),
        INTRINSICS.expand(1, 3, 4),
    )
    finest = matcher.match(tuple(level[:1] for level in features), views)[-1]
    error = (finest.coordinates - coordinates[:1]).norm(dim=1).nanmedian()
    T_camera_map = find_pose(finest, INTRINSICS.double(), 2.0)
    assert T_camera_map is not None
    apart = T_camera_map @ poses[0].double()
    cosine = float((apart[:3, :3].trace() - 1) / 2)
    return float(error), float(apart[:3, 3].norm()), math.degrees(math.acos(min(cosine, 1.0)))


def test_a_room_never_seen_is_localized_in(room):
    metres, translation, degrees = localized(open_scene_matcher("dsm_compact", CPU), room)
    assert translation < 0.05
    assert degrees < 5
    assert metres < 0.1
    torch.manual_seed(0)
    untrained = create_scene_matcher("dsm_compact").eval()
    load_weights(untrained, Compact().default_weights())
    assert metres < localized(untrained, room)[0]
