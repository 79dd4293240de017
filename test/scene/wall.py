"""A textured wall and frames of it: RGB-D images whose every pixel is known exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from dense_reloc_ros.features.extractor import FeatureSignature, LevelSignature
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.describing import KeyframeDescription
from dense_reloc_ros.mapping.keypoints import detect_corners
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
WALL_DEPTH = 2.0
"""The wall is the plane z = 2 m of the map frame."""
PIXELS_PER_METRE = 150.0


def wall_texture() -> np.ndarray:
    """Random grey squares, 600 x 600 pixels or 4 x 4 metres, its centre at x = y = 0."""
    coarse = np.random.default_rng(5).integers(20, 236, (40, 40, 3), dtype=np.uint8)
    return cv2.resize(coarse, (600, 600), interpolation=cv2.INTER_NEAREST)


def wall_frame(
    number: int, position: tuple[float, float, float], turn_degrees: float = 0.0
) -> SourceFrame:
    """The wall seen from a position, turned about the vertical."""
    T_map_camera = rigid(
        Rotation.from_euler("y", turn_degrees, degrees=True).as_matrix(), np.array(position)
    )
    columns, rows = np.meshgrid(np.arange(160), np.arange(120))
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    rays = pixels @ np.linalg.inv(CAMERA.matrix).T @ T_map_camera[:3, :3].T
    depth = (WALL_DEPTH - position[2]) / rays[..., 2]
    points = rays * depth[..., None] + position
    texture = (points[..., :2] * PIXELS_PER_METRE + 300).astype(np.float32)
    image = cv2.remap(wall_texture(), texture[..., 0], texture[..., 1], cv2.INTER_LINEAR)
    return SourceFrame(
        name=f"frame-{number:06d}",
        timestamp=number / 30,
        camera=CAMERA,
        T_map_camera=T_map_camera,
        read_image=lambda: image,
        read_depth=lambda: depth.astype(np.float32),
    )


@dataclass
class PixelDescriber:
    """Describes a keypoint by the colour of its pixel; notes what it was asked for."""

    keypoints: int = 60
    trained_on: list[np.ndarray] = field(default_factory=list)

    @property
    def signature(self) -> FeatureSignature:
        levels = {"colour": LevelSignature(stride=1, channels=3)}
        return FeatureSignature(
            method="test", network="pixels", weights_sha256="0" * 64, levels=levels
        )

    def train_vocabulary(self, images: Iterable[np.ndarray]) -> Mapping[str, torch.Tensor]:
        self.trained_on = list(images)
        return {"mean": torch.tensor(np.mean([image.mean() for image in self.trained_on]))[None]}

    def describe(
        self, image: np.ndarray, usable: np.ndarray, vocabulary: Mapping[str, torch.Tensor]
    ) -> KeyframeDescription:
        pixels = detect_corners(image, usable, self.keypoints)
        return self.describe_at(image, pixels, vocabulary)[1]

    def describe_at(
        self, image: np.ndarray, pixels: np.ndarray, vocabulary: Mapping[str, torch.Tensor]
    ) -> tuple[np.ndarray, KeyframeDescription]:
        columns, rows = np.rint(pixels).astype(int).T
        colours = torch.from_numpy(image[rows, columns].astype(np.float32))
        brightness = torch.tensor([float(image.mean())]) - vocabulary["mean"]
        description = KeyframeDescription(
            pixels,
            {"colour": torch.nn.functional.normalize(colours, dim=-1)},
            {"brightness": brightness},
        )
        return np.arange(len(pixels)), description
