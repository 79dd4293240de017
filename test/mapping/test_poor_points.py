"""Maps with fewer and noisier points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scene.small_map import make_map

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.mapping.poor_points import PoorPoints, with_poor_points
from dense_reloc_ros.scene.layout import stored_tensors
from dense_reloc_ros.scene.validation import check_tensors


def owners_of(scene_map) -> torch.Tensor:
    return torch.repeat_interleave(
        torch.arange(scene_map.keyframe_count), scene_map.observation_offsets.diff()
    )


def test_a_share_of_the_points_stays_with_all_that_belongs_to_them():
    whole = make_map(keyframes=40, points=900)
    poor = with_poor_points(whole, PoorPoints(0.1))
    assert len(poor.points) == pytest.approx(90, abs=25)
    check_tensors(poor.information, stored_tensors(poor))
    # Every observation is one of the whole map, of the same keyframe, point and descriptor.
    seen = {
        (k, *whole.points[p].tolist()): (pixel.tolist(), fine.tolist())
        for k, p, pixel, fine in zip(
            owners_of(whole).tolist(),
            whole.observation_points.tolist(),
            whole.observation_pixels,
            whole.descriptors["fine"],
            strict=True,
        )
    }
    count = 0
    for k, p, pixel, fine in zip(
        owners_of(poor).tolist(),
        poor.observation_points.tolist(),
        poor.observation_pixels,
        poor.descriptors["fine"],
        strict=True,
    ):
        key = (k, *poor.points[p].tolist())
        assert key in seen
        count += seen[key] == (pixel.tolist(), fine.tolist())
    # A point may be seen twice by a keyframe of this random map; the last one stands in `seen`.
    assert count > 0.7 * len(poor.observation_points)
    kept = {tuple(point) for point in poor.points.tolist()}
    expected = sum(tuple(whole.points[p].tolist()) in kept for p in whole.observation_points)
    assert len(poor.observation_points) == expected


def test_every_keyframe_keeps_a_point():
    poor = with_poor_points(make_map(keyframes=40, points=200), PoorPoints(0.005))
    assert (poor.observation_offsets.diff() >= 1).all()
    assert len(poor.points) <= 60


def test_noise_moves_points_along_the_ray_of_their_first_keyframe():
    whole = make_map(keyframes=4, points=3000)
    poor = with_poor_points(whole, PoorPoints(noise=0.05))
    assert len(poor.points) == len(whole.points)
    first = torch.full((len(whole.points),), 3)
    for k, p in zip(owners_of(whole).tolist(), whole.observation_points.tolist(), strict=True):
        first[p] = min(int(first[p]), k)
    centres = whole.keyframe_poses[first, :3, 3]
    before, after = whole.points.double() - centres, poor.points.double() - centres
    cosines = torch.nn.functional.cosine_similarity(before, after)
    torch.testing.assert_close(cosines, torch.ones_like(cosines), atol=1e-6, rtol=0)
    logarithms = (after.norm(dim=1) / before.norm(dim=1)).log().numpy()
    assert np.std(logarithms) == pytest.approx(0.05, rel=0.05)
    assert np.mean(logarithms) == pytest.approx(0.0, abs=0.005)


def test_the_same_seed_gives_the_same_map():
    whole = make_map(keyframes=10, points=300)
    one, same, other = (with_poor_points(whole, PoorPoints(0.3, 0.02, seed)) for seed in (1, 1, 2))
    assert torch.equal(one.points, same.points)
    assert one.points.shape != other.points.shape or not torch.equal(one.points, other.points)


@pytest.mark.parametrize(("share", "noise"), [(0.0, 0.0), (1.1, 0.0), (0.5, -0.1), (0.5, 1.0)])
def test_shares_and_noises_that_make_no_sense_are_errors(share, noise):
    with pytest.raises(ConfigurationError, match="a map cannot keep the share"):
        PoorPoints(share, noise)
