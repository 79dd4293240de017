"""A small map of random content."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from dense_reloc_ros.features.extractor import FeatureSignature, LevelSignature
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.scene.scene_map import (
    FORMAT_VERSION,
    MapCalibration,
    MapInformation,
    SceneMap,
)


def make_map(seed: int = 0, keyframes: int = 3, points: int = 20) -> SceneMap:
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(5, points, (keyframes,), generator=generator)
    observations = int(counts.sum())
    poses = np.tile(np.eye(4), (keyframes, 1, 1))
    poses[:, :3, :3] = Rotation.random(keyframes, np.random.default_rng(seed)).as_matrix()
    poses[:, :3, 3] = np.arange(3 * keyframes).reshape(keyframes, 3)
    positions = torch.randn(points, 3, generator=generator)
    low, high = positions.aminmax(dim=0)
    levels = {
        "fine": LevelSignature(stride=4, channels=6),
        "coarse": LevelSignature(stride=16, channels=8),
    }
    return SceneMap(
        information=MapInformation(
            format_version=FORMAT_VERSION,
            revision="",
            frame_id="map",
            keyframe_names=[f"frame-{k:06d}" for k in range(keyframes)],
            point_count=points,
            observation_count=observations,
            bounding_box=(tuple(low.tolist()), tuple(high.tolist())),
            signature=FeatureSignature(
                method="nre", network="net", weights_sha256="ab" * 32, levels=levels
            ),
            calibration=MapCalibration(temperatures={"fine": 20.0}),
            created="2026-01-01T00:00:00+00:00",
            source="made up",
        ),
        cameras=tuple(Camera(64, 48, 50.0 + k, 51.0, 31.5, 23.5) for k in range(keyframes)),
        keyframe_poses=torch.from_numpy(poses),
        points=positions,
        observation_offsets=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        observation_points=torch.randint(0, points, (observations,), generator=generator),
        observation_pixels=torch.rand(observations, 2, generator=generator) * 40,
        descriptors={
            name: torch.randn(observations, level.channels, generator=generator).half()
            for name, level in levels.items()
        },
        retrieval={
            "gem": torch.randn(keyframes, 5, generator=generator),
            "vocabulary.vlad": torch.randn(4, 6, generator=generator),
        },
    )
