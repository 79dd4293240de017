import numpy as np
import pytest
import torch
from training.data.clean_pairs import CLEAN, blobs

from dense_reloc_ros.images.photometric import RandomCamera
from dense_reloc_ros.training.data.view_pairs import (
    VISIBLE_SHARE,
    RelativePose,
    ViewPair,
    assemble,
    is_inside,
)

CAMERA = RandomCamera(CLEAN)
COVERING = RandomCamera(CLEAN.model_copy(update={"covered": 0.6, "target": (0.0, 0.0, 1.0)}))


def views(points: int, visible: int, pose: RelativePose | None = None) -> ViewPair:
    """Points i at source pixel (i, 0) and target pixel (i, 1), the first ones visible."""
    x = np.arange(points, dtype=float)
    return ViewPair(
        blobs(80, 400, 0),
        blobs(80, 400, 1),
        np.stack([x, np.zeros(points)], axis=1),
        np.stack([x, np.ones(points)], axis=1),
        np.arange(points) < visible,
        place=7,
        pose=pose,
    )


def test_enough_points_come_once_each_and_mostly_visible():
    pair = assemble(views(300, 200), 100, CAMERA, np.random.default_rng(0))
    index = pair.source_pixels[:, 0]
    assert len(set(index.tolist())) == 100
    assert (pair.target_pixels[:, 0] == index).all()
    assert (pair.visible == (index < 200)).all()
    assert pair.visible.float().mean() == pytest.approx(VISIBLE_SHARE)


def test_without_misses_all_points_are_visible():
    pair = assemble(views(150, 150), 100, CAMERA, np.random.default_rng(0))
    assert pair.visible.all() and len(pair.visible) == 100


def test_repetitions_of_few_points_do_not_count():
    pair = assemble(views(12, 9), 40, CAMERA, np.random.default_rng(0))
    index = pair.source_pixels[:, 0]
    assert set(index.tolist()) == set(range(12))
    assert sorted(index[pair.visible].tolist()) == list(range(9))


def test_covered_points_are_not_visible():
    pair = assemble(views(400, 400), 400, COVERING, np.random.default_rng(3))
    changed = (pair.target_image * 255).round() != torch.from_numpy(
        blobs(80, 400, 1).transpose(2, 0, 1)
    )
    is_covered = changed.any(dim=0)[1, pair.target_pixels[:, 0].long()]
    assert 20 < is_covered.sum() < 380
    assert not pair.visible[is_covered].any()
    assert pair.visible[~is_covered].float().mean() > 0.95


def test_geometry_belongs_to_the_points():
    x = np.arange(50, dtype=float)
    pose = RelativePose(
        np.stack([x, x, x], axis=1), np.diag([1.0, 1, 1, 1]), np.arange(4.0), np.arange(4.0) + 1
    )
    pair = assemble(views(50, 40, pose), 30, CAMERA, np.random.default_rng(0))
    assert pair.has_pose
    assert (pair.points[:, 0] == pair.source_pixels[:, 0]).all()
    assert pair.source_intrinsics.tolist() == [0, 1, 2, 3]
    assert pair.target_intrinsics.tolist() == [1, 2, 3, 4]


def test_a_pair_without_pose_has_none():
    pair = assemble(views(50, 40), 30, CAMERA, np.random.default_rng(0))
    assert not pair.has_pose and pair.place == 7
    assert (pair.points == 0).all() and (pair.T_target_source == torch.eye(4)).all()
    assert pair.source_image.shape == (3, 80, 400) and pair.source_image.dtype == torch.float32
    assert pair.target_image.min() >= 0 and pair.target_image.max() <= 1


def test_inside_means_between_the_outermost_centres():
    pixels = np.array([[0.0, 0.0], [9.0, 4.0], [-0.1, 2.0], [9.1, 2.0], [3.0, 4.1]])
    assert is_inside(pixels, 10, 5).tolist() == [True, True, False, False, False]
