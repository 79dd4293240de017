from __future__ import annotations

import numpy as np
import torch

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.neurhal.positional_encoding import (
    PositionalEncoding,
    image_positions,
    tangents,
)


def test_the_published_encoding_has_the_parameters_of_table_c1():
    encoding = PositionalEncoding(2, (32, 64, 128, 256, 384))
    linear = [layer for layer in encoding.layers if isinstance(layer, torch.nn.Linear)]
    assert sum(p.numel() for layer in linear for p in layer.parameters()) == 142_240


def test_positions_are_encoded_each_for_itself():
    encoding = PositionalEncoding(2, (4, 6)).eval()
    positions = torch.rand(2, 3, 5, 2)
    encoded = encoding(positions)
    assert encoded.shape == (2, 3, 5, 6)
    torch.testing.assert_close(encoded[1, 2, 4], encoding(positions[1:, 2, 4])[0])


def test_the_edges_of_an_image_are_at_minus_one_and_one():
    edges = torch.tensor([[-0.5, -0.5], [639.5, 479.5], [319.5, 239.5], [959.5, 719.5]])
    expected = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 2.0]])
    torch.testing.assert_close(image_positions(edges, (480, 640)), expected)


def test_tangents_are_the_directions_of_each_camera():
    cameras = [Camera(64, 48, 50.0, 60.0, 31.0, 23.0), Camera(64, 48, 80.0, 70.0, 30.0, 25.0)]
    point = torch.tensor([0.3, -0.2, 1.0])
    pixels = torch.from_numpy(
        np.stack([camera.project(point.double().numpy()[None]) for camera in cameras])
    ).float()
    intrinsics = torch.tensor([camera.intrinsics.tolist() for camera in cameras])
    found = tangents(pixels, intrinsics)
    torch.testing.assert_close(found, point[:2].expand(2, 1, 2))
