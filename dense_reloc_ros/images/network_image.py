"""Images as some networks see them: of one size, whatever the camera."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.camera import Camera

ImageSize = tuple[int, int]
"""Height and width."""


def network_image(image: NDArray[np.uint8], size: ImageSize, device: torch.device) -> Tensor:
    """An undistorted image (H, W, 3) RGB in the network's size: (1, 3, height, width) in [0, 1].

    Images of another shape are stretched, which the intrinsics follow.
    """
    resized = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return image_to_tensor(np.asarray(resized, dtype=np.uint8), device)


def network_intrinsics(camera: Camera, size: ImageSize) -> Tensor:
    """fx, fy, cx, cy (4,) of a pinhole camera's images in the network's size, float64."""
    scaled = camera.scaled(size[1], size[0])
    return torch.from_numpy(scaled.intrinsics)
