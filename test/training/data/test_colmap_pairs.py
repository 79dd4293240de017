"""Pairs from a model written here by hand, and from a real one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from shared_data import CYPRUS
from training.data.clean_pairs import CLEAN, blobs, differences, equal

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.training.data.colmap_pairs import ColmapConfiguration, ColmapSource

SIZE = (96, 128)
K = np.array([[190.0, 0, 99.5], [0, 180, 74.5], [0, 0, 1]])
"""With pixel centres at integers."""
POSES = {
    "a.png": (Rotation.from_rotvec([0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0])),
    "b.png": (Rotation.from_rotvec([0.02, -0.12, 0.05]), np.array([0.2, 0.0, 0.05])),
}
UNSEEN = slice(0, 60)
"""Points that b does not observe, though some project into it."""


def scene_points() -> np.ndarray:
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 4, 400)
    pixels = rng.uniform((-40, 0), (199, 149), (400, 2))
    return np.column_stack([(pixels - K[:2, 2]) / K.diagonal()[:2] * depth[:, None], depth])


def opencv_pixels(points: np.ndarray, name: str) -> np.ndarray:
    rotation, translation = POSES[name]
    return cv2.projectPoints(points, rotation.as_rotvec(), translation, K, None)[0][:, 0]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Two images of 200x150 and a model of 400 points."""
    points = scene_points()
    (tmp_path / "sparse").mkdir()
    (tmp_path / "images").mkdir()
    images, tracks = [], [[] for _ in points]
    for number, (name, (rotation, translation)) in enumerate(POSES.items(), start=1):
        Image.fromarray(blobs(150, 200, number)).save(tmp_path / "images" / name)
        pixels = opencv_pixels(points, name)
        seen = ((pixels >= 0) & (pixels <= (199, 149))).all(axis=1)
        if name == "b.png":
            seen[UNSEEN] = False
        x, y, z, w = rotation.as_quat()
        images.append(" ".join(map(str, [number, w, x, y, z, *translation, 1, name])))
        observed = np.flatnonzero(seen)
        images.append(" ".join(f"{pixels[i, 0] + 0.5} {pixels[i, 1] + 0.5} {i}" for i in observed))
        for slot, i in enumerate(observed):
            tracks[i].append(f"{number} {slot}")
    (tmp_path / "sparse/cameras.txt").write_text("1 PINHOLE 200 150 190 180 100 75\n")
    (tmp_path / "sparse/images.txt").write_text("\n".join(images) + "\n")
    lines = [
        f"{i} {x} {y} {z} 0 0 0 0.1 {' '.join(tracks[i])}" for i, (x, y, z) in enumerate(points)
    ]
    (tmp_path / "sparse/points3D.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def create(*scenes: Path, **values: object) -> ColmapSource:
    configuration = ColmapConfiguration(scenes=scenes, photometric=CLEAN, **values)
    return ColmapSource(configuration, SIZE, 150)


def test_pixels_agree_with_opencv_at_any_crop(scene):
    source = create(scene)
    for number in range(20):
        pair = source.pair(number)
        assert pair.has_pose and pair.source_image.shape == (3, *SIZE)
        for pixels, intrinsics, transform in (
            (pair.source_pixels, pair.source_intrinsics, np.eye(4)),
            (pair.target_pixels, pair.target_intrinsics, pair.T_target_source.numpy()),
        ):
            fx, fy, cx, cy = intrinsics.tolist()
            k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            angles = cv2.Rodrigues(transform[:3, :3].astype(float))[0]
            points = pair.points.numpy().astype(float)
            projected = cv2.projectPoints(points, angles, transform[:3, 3].astype(float), k, None)
            assert np.abs(projected[0][:, 0] - pixels.numpy()).max() < 0.02


def test_relative_pose_is_that_of_the_model(scene):
    rotation, translation = POSES["b.png"]
    T_b_a = np.eye(4)
    T_b_a[:3, :3], T_b_a[:3, 3] = rotation.as_matrix(), translation
    expected = (T_b_a, np.linalg.inv(T_b_a))
    source = create(scene)
    found = [source.pair(number).T_target_source.numpy() for number in range(12)]
    closest = [int(np.argmin([np.abs(pose - e).max() for e in expected])) for pose in found]
    assert set(closest) == {0, 1}
    for pose, which in zip(found, closest, strict=True):
        assert pose == pytest.approx(expected[which], abs=1e-6)


def test_points_that_nobody_observed_in_the_target_are_left_out(scene):
    source, points = create(scene), scene_points()
    misses = 0
    for number in range(20):
        pair = source.pair(number)
        x, y = pair.target_pixels.T
        inside = (x >= 0) & (x <= SIZE[1] - 1) & (y >= 0) & (y <= SIZE[0] - 1)
        assert (inside | ~pair.visible).all()
        misses += int((~inside).sum())
        if pair.T_target_source[0, 3] > 0:  # from a to b, and a is the map
            distance = np.abs(pair.points.numpy()[:, None] - points[UNSEEN]).max(axis=2)
            is_unseen = distance.min(axis=1) < 1e-4
            assert not (is_unseen & inside.numpy()).any()
    assert misses > 100


def test_pair_is_a_function_of_its_number(scene):
    assert equal(create(scene).pair(7), create(scene).pair(7))
    assert not equal(create(scene).pair(7), create(scene).pair(8))


def test_scenes_are_places(scene):
    source = create(scene, scene)
    assert source.places == 2
    assert {int(source.pair(number).place) for number in range(12)} == {0, 1}


def test_errors_name_the_scene(scene, tmp_path):
    with pytest.raises(InputError, match="none"):
        create(tmp_path / "none")
    with pytest.raises(InputError, match=f"{scene.name}: no two images see 500 common points"):
        create(scene, common_points=500)
    (scene / "images/a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        create(scene).pair(0)


@pytest.mark.skipif(not CYPRUS.is_dir(), reason=f"needs {CYPRUS}")
def test_photographs_show_the_same_at_common_points():
    source = create(CYPRUS, zoom=1.0)
    for number in range(5):
        pair = source.pair(number)
        assert pair.visible.sum() >= 30
        apart = vars(pair) | {"target_pixels": pair.target_pixels.roll(1, dims=0)}
        assert np.median(differences(pair)) < 0.6 * np.median(differences(type(pair)(**apart)))
