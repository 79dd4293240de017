"""Mixed descriptors correlate as the mixed correlations of DSM 3.3.1 do; what a frame sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.temporal.mixed_correlation import (
    descriptors_in,
    joint_descriptors,
    map_share,
    mix_correlations,
    visible_pixels,
)

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(
    ("confidence", "share"), [(0.0, 0.4), (0.25, 0.65), (0.6, 1.0), (1.0, 1.0)]
)
def test_the_map_has_the_share_of_the_paper(confidence: float, share: float):
    assert map_share(confidence) == pytest.approx(share)


@pytest.mark.parametrize("share", [0.4, 0.7, 1.0])
def test_mixing_descriptors_is_mixing_correlations(share: float):
    level = FeatureLevel(4, 1.5, normalize(random(1, 8, 5, 6), dim=1))
    from_map = normalize(random(7, 8), dim=1)
    from_previous = normalize(random(7, 8) + from_map, dim=1)
    is_seen = torch.tensor([True, False, True, True, False, True, True])
    mixed = mix_correlations({"coarse": from_map}, {"coarse": from_previous}, is_seen, share)
    correlation = correlate(mixed["coarse"], level)
    for point in range(7):
        for row in range(5):
            for column in range(6):
                feature = level.values[0, :, row, column]
                scene = float(from_map[point] @ feature)
                temporal = float(from_previous[point] @ feature)
                fused = share * scene + (1 - share) * temporal if is_seen[point] else scene
                assert float(correlation[point, row, column]) == pytest.approx(fused, abs=1e-6)


def test_frames_that_see_a_point_have_one_descriptor_of_it():
    first, second = (normalize(random(4, 8) + shift, dim=1) for shift in (0.0, 1.0))
    seen = [
        ({"fine": first}, torch.tensor([True, True, False, False])),
        ({"fine": second}, torch.tensor([True, False, True, False])),
    ]
    joint, is_seen = joint_descriptors(seen)
    assert is_seen.tolist() == [True, True, True, False]
    torch.testing.assert_close(joint["fine"][0], normalize(first[0] + second[0], dim=0))
    torch.testing.assert_close(joint["fine"][1], first[1])
    torch.testing.assert_close(joint["fine"][2], second[2])


def test_descriptors_of_the_previous_frame_are_those_at_the_points():
    level = FeatureLevel(4, 1.5, normalize(random(1, 8, 12, 16), dim=1))
    features = DenseFeatures({"fine": level}, torch.zeros(1, 1))
    pixels = level.cells_to_pixels(torch.tensor([[3.0, 2.0], [15.0, 11.0], [torch.nan] * 2]))
    found = descriptors_in(features, pixels)["fine"]
    torch.testing.assert_close(found[0], level.values[0, :, 2, 3])
    torch.testing.assert_close(found[1], level.values[0, :, 11, 15])
    assert found.isfinite().all()


def test_points_are_seen_inside_of_the_image_only():
    points = torch.tensor(
        [[0.0, 0.0, 2.0], [1.2, 0.0, 2.0], [1.4, 0.0, 2.0], [0.0, -1.1, 2.0], [0.0, 0.0, -2.0]]
    )
    pixels, is_seen = visible_pixels(torch.eye(4), CAMERA, points, points)
    np.testing.assert_allclose(pixels[:3].numpy(), [[31.5, 23.5], [61.5, 23.5], [66.5, 23.5]])
    assert pixels[4].isnan().all()
    assert is_seen.tolist() == [True, True, False, False, False]


def test_points_behind_others_are_hidden():
    in_front = torch.tensor([[0.02, 0.01, 1.0]])
    points = torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 1.1], [0.8, 0.5, 3.0]])
    _, is_seen = visible_pixels(torch.eye(4), CAMERA, points, torch.cat([in_front, points]))
    # The second lies on the same surface, the third in another part of the image.
    assert is_seen.tolist() == [False, True, True]


def test_the_camera_may_be_anywhere():
    T_camera_map = torch.eye(4)
    T_camera_map[2, 3] = 1.0
    pixels, is_seen = visible_pixels(
        T_camera_map, CAMERA, torch.tensor([[0.4, 0.2, 1.0]]), torch.empty(0, 3)
    )
    np.testing.assert_allclose(pixels.numpy(), [[50 * 0.4 / 2 + 31.5, 50 * 0.2 / 2 + 23.5]])
    assert is_seen.tolist() == [True]
