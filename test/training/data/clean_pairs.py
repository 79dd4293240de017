"""Helpers: cameras that change nothing, a small textured room, and whether a pair corresponds."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

from dense_reloc_ros.images.photometric import PhotometricConfiguration
from dense_reloc_ros.rendering.room import Box, Room, Walkway
from dense_reloc_ros.training.examples import TrainingPair

CLEAN = PhotometricConfiguration(
    gamma=1,
    gain=1,
    overexposure=1,
    motion=0,
    defocus=0,
    uneven=0,
    covered=0,
    colour=0,
    photons=1e12,
    read_noise=0,
    jpeg_quality=95,
)


def blobs(height: int, width: int, seed: int, cells: int = 8) -> np.ndarray:
    """A smooth picture (height, width, 3) in which every place looks different."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (height // cells, width // cells, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def small_room() -> Room:
    """Four walls of different blobs, and a pillar that hides parts of them."""
    shell = Box(np.eye(4), (8.0, 7.0, 3.0))
    walls = (("left", 8.0, 0.0), ("right", -8.0, 0.0), ("front", 0.0, 7.0), ("back", 0.0, -7.0))
    surfaces = [
        # The back of a box that stands outside is the wall as seen from inside.
        Box(_at(x, y), shell.size).face(face, blobs(480, 960, seed, cells=24))
        for seed, (face, x, y) in enumerate(walls)
    ]
    pillar = Box(_at(0.2, 0.3), (0.5, 0.5, 3.0))
    surfaces += [
        pillar.face(face, blobs(240, 96, 10 + number, cells=24))
        for number, face in enumerate(("left", "right", "front", "back"))
    ]
    return Room(shell.size, tuple(surfaces), (), (), np.ones(3), Walkway((1.2, 1), (2.2, 1.8)))


def values_at_points(pair: TrainingPair) -> tuple[np.ndarray, np.ndarray]:
    """What source and target image show at the visible points, (N, 3) in [0, 1] each."""
    source, target = (
        _sampled(image, pixels[pair.visible])
        for image, pixels in (
            (pair.source_image, pair.source_pixels),
            (pair.target_image, pair.target_pixels),
        )
    )
    return source, target


def differences(pair: TrainingPair) -> np.ndarray:
    """How much the images differ at the visible points (N,), with values in [0, 1]."""
    source, target = values_at_points(pair)
    return np.abs(source - target).mean(axis=1)


def equal(first: TrainingPair, second: TrainingPair) -> bool:
    """Whether two pairs agree in every bit."""
    return all((value == getattr(second, name)).all() for name, value in vars(first).items())


def _sampled(image: Tensor, pixels: Tensor) -> np.ndarray:
    x, y = pixels.numpy().T[:, :, None]
    picture = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR)[:, 0]


def _at(x: float, y: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, 3] = x, y
    return pose
