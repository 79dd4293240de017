"""Hypercolumns against closed forms and against SciPy's interpolation."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.features.hypercolumn import Layer, hypercolumn, interpolation_matrix

strides = st.sampled_from([1, 2, 4, 8, 16, 32])
offsets = st.floats(-4, 40)


@given(st.integers(1, 30), strides, offsets, st.integers(1, 30), strides, offsets)
def test_a_ramp_is_interpolated_to_itself_and_held_beyond_its_ends(
    target_count, target_stride, target_offset, source_count, source_stride, source_offset
):
    source = 3 * (np.arange(source_count) * source_stride + source_offset) - 7
    target = 3 * (np.arange(target_count) * target_stride + target_offset) - 7
    matrix = interpolation_matrix(
        target_count, target_stride, target_offset, source_count, source_stride, source_offset
    )
    assert matrix.shape == (target_count, source_count)
    np.testing.assert_allclose(
        matrix.numpy() @ source, np.clip(target, source[0], source[-1]), atol=1e-9
    )
    np.testing.assert_allclose(matrix.sum(1), 1.0, atol=1e-12)


def normalized(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=0)


def test_layers_are_centred_normalized_and_interpolated_at_the_true_pixels():
    generator = torch.Generator().manual_seed(0)
    layers = [
        Layer(torch.randn(1, 5, 24, 32, generator=generator), 4, 3.0),
        Layer(torch.randn(1, 7, 6, 8, generator=generator), 16, 9.5),
    ]
    height, width, stride, offset = 96, 128, 8, 3.5
    result = hypercolumn(layers, stride, offset, height, width)
    rows, columns = np.mgrid[0 : height // stride, 0 : width // stride] * stride + offset
    parts = []
    for layer in layers:
        values = layer.values[0].double().numpy()
        values = normalized(values - values.mean((1, 2), keepdims=True))
        cells = (np.stack([rows, columns]) - layer.offset) / layer.stride
        parts += [map_coordinates(channel, cells, order=1, mode="nearest") for channel in values]
    np.testing.assert_allclose(result[0], normalized(np.stack(parts)), atol=1e-5)


def test_one_layer_is_what_a_level_samples():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(1, 6, 12, 16, generator=generator)
    centred = values - values.mean((2, 3), keepdim=True)
    level = FeatureLevel(8, 2.5, torch.nn.functional.normalize(centred, dim=1))
    result = FeatureLevel(4, 1.0, hypercolumn([Layer(values, 8, 2.5)], 4, 1.0, 96, 128))
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    cells = torch.stack([columns, rows], dim=-1).reshape(-1, 2).float()
    sampled = level.sample(result.cells_to_pixels(cells))
    torch.testing.assert_close(result.values[0].flatten(1).T, sampled, atol=1e-5, rtol=0)


def test_every_image_of_a_batch_is_centred_by_itself():
    generator = torch.Generator().manual_seed(2)
    values = (
        torch.randn(2, 3, 6, 8, generator=generator) + torch.tensor([0.0, 5.0])[:, None, None, None]
    )
    together = hypercolumn([Layer(values, 8, 3.5)], 4, 1.5, 48, 64)
    for image in range(2):
        alone = hypercolumn([Layer(values[image : image + 1], 8, 3.5)], 4, 1.5, 48, 64)
        torch.testing.assert_close(together[image : image + 1], alone)
