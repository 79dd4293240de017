"""COLMAP models: text models written here by hand, and real ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from shared_data import FOX

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.colmap import read_colmap

POINTS = {10: (0.2, -0.1, 3.0), 4: (-0.3, 0.2, 2.5), 30: (0.05, 0.15, 4.0)}
R_CAMERA_MAP = Rotation.from_rotvec([0.05, -0.1, 0.02])
T_CAMERA_MAP = np.array([0.1, -0.05, 0.2])


def project(distortion: np.ndarray, fisheye: bool = False) -> np.ndarray:
    """Where OpenCV sees POINTS, for K = (100, 110, 64, 48), pixel centres at integers."""
    k = np.array([[100.0, 0, 64], [0, 110, 48], [0, 0, 1]])
    points = np.array(list(POINTS.values()))[:, None]
    function = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    arguments = (R_CAMERA_MAP.as_rotvec(), T_CAMERA_MAP, k, distortion)
    return function(points, *arguments)[0].reshape(-1, 2)


def write_model(folder: Path, camera: str, pixels: np.ndarray) -> Path:
    x, y, z, w = R_CAMERA_MAP.as_quat()
    pose = " ".join(map(str, [w, x, y, z, *T_CAMERA_MAP]))
    # COLMAP's pixel centres are at .5; the second keypoint has no point.
    keypoints = [(*(pixels[0] + 0.5), 10), (5.0, 6.0, -1), (*(pixels[1] + 0.5), 4)]
    keypoints.append((*(pixels[2] + 0.5), 30))
    observed = " ".join(f"{u} {v} {point}" for u, v, point in keypoints)
    (folder / "cameras.txt").write_text(f"7 {camera}\n")
    (folder / "images.txt").write_text(f"3 {pose} 7 sub/b.png\n{observed}\n")
    slots = {10: 0, 4: 2, 30: 3}
    lines = [f"{i} {x} {y} {z} 0 0 0 0.1 3 {slots[i]}" for i, (x, y, z) in POINTS.items()]
    (folder / "points3D.txt").write_text("\n".join(lines) + "\n")
    return folder


PINHOLE = "PINHOLE 128 96 100 110 64.5 48.5"


def test_conventions_become_ours(tmp_path):
    pixels = project(np.zeros(4))
    model = write_model(tmp_path, PINHOLE, pixels)
    (frame,), known = read_colmap(model, tmp_path / "images")
    assert frame.name == "sub/b.png"
    assert frame.camera == Camera(128, 96, 100.0, 110.0, 64.0, 48.0)
    expected = np.linalg.inv(
        np.vstack([np.column_stack([R_CAMERA_MAP.as_matrix(), T_CAMERA_MAP]), [0, 0, 0, 1]])
    )
    np.testing.assert_allclose(frame.T_map_camera, expected, atol=1e-12)
    np.testing.assert_allclose(
        known.positions[known.indices["sub/b.png"]], list(POINTS.values()), atol=1e-12
    )
    np.testing.assert_allclose(known.pixels["sub/b.png"], pixels, atol=1e-4)


@pytest.mark.parametrize(
    ("camera", "distortion"),
    [
        ("OPENCV 128 96 100 110 64.5 48.5 -0.2 0.05 0.01 -0.02", [-0.2, 0.05, 0.01, -0.02]),
        (
            "FULL_OPENCV 128 96 100 110 64.5 48.5 -0.2 0.05 0.01 -0.02 0.01 0.02 0.03 0.04",
            [-0.2, 0.05, 0.01, -0.02, 0.01, 0.02, 0.03, 0.04],
        ),
        ("OPENCV_FISHEYE 128 96 100 110 64.5 48.5 -0.1 0.02 0.01 0.005", [-0.1, 0.02, 0.01, 0.005]),
    ],
)
def test_observations_of_distorted_cameras_are_undistorted(tmp_path, camera, distortion):
    fisheye = "FISHEYE" in camera
    distorted = project(np.array(distortion), fisheye)
    straight = project(np.zeros(4))
    assert np.abs(distorted - straight).max() > 0.05
    (frame,), known = read_colmap(write_model(tmp_path, camera, distorted), tmp_path)
    assert frame.camera.is_distorted
    np.testing.assert_allclose(known.pixels["sub/b.png"], straight, atol=0.01)


@pytest.mark.parametrize(
    ("camera", "model", "distortion"),
    [
        ("SIMPLE_PINHOLE 128 96 100 64.5 48.5", "plumb_bob", ()),
        ("SIMPLE_RADIAL 128 96 100 64.5 48.5 -0.1", "plumb_bob", (-0.1, 0, 0, 0)),
        ("RADIAL 128 96 100 64.5 48.5 -0.1 0.2", "plumb_bob", (-0.1, 0.2, 0, 0)),
        ("OPENCV 128 96 100 100 64.5 48.5 0 0 0 0", "plumb_bob", ()),
        ("SIMPLE_RADIAL_FISHEYE 128 96 100 64.5 48.5 0.1", "equidistant", (0.1, 0, 0, 0)),
        ("RADIAL_FISHEYE 128 96 100 64.5 48.5 0.1 0.2", "equidistant", (0.1, 0.2, 0, 0)),
    ],
)
def test_camera_models(tmp_path, camera, model, distortion):
    (frame,), _ = read_colmap(write_model(tmp_path, camera, project(np.zeros(4))), tmp_path)
    assert frame.camera == Camera(128, 96, 100.0, 100.0, 64.0, 48.0, model, distortion)


def test_observations_outside_the_image_are_dropped(tmp_path):
    pixels = project(np.zeros(4))
    pixels[1] = [200.0, 10.0]
    _, known = read_colmap(write_model(tmp_path, PINHOLE, pixels), tmp_path)
    seen = known.positions[known.indices["sub/b.png"]]
    np.testing.assert_allclose(seen, [POINTS[10], POINTS[30]])


def test_images_are_looked_up_in_their_folder(tmp_path):
    model = write_model(tmp_path, PINHOLE, project(np.zeros(4)))
    (frame,), _ = read_colmap(model, tmp_path / "images")
    with pytest.raises(InputError, match=r"images/sub/b.png: no such file"):
        frame.load_image()
    (tmp_path / "images/sub").mkdir(parents=True)
    Image.fromarray(np.full((96, 128, 3), 9, np.uint8)).save(tmp_path / "images/sub/b.png")
    assert (frame.load_image() == 9).all()


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("images.txt", "", "cannot be read"),
        ("points3D.txt", "", "it has no points"),
        ("points3D.txt", "10 1 1 1 0 0 0 0.1 3 0\n", "image sub/b.png: .* points that are not"),
        ("points3D.txt", "10 nan 0 0 0 0 0 0.1 3 0\n", "cannot be read"),
        ("cameras.txt", "7 FOV 128 96 100 110 64 48 0.1\n", "FOV is not supported"),
        ("cameras.txt", "7 PINHOLE 128 96 -100 110 64 48\n", "positive focal lengths"),
        ("cameras.txt", "7 MAGIC 128 96 100 110 64 48\n", "cannot be read"),
        ("cameras.txt", "", "."),
        ("images.txt", "3 nan 0 0 0 0 0 0 7 b.png\n1 2 -1\n", "."),
        ("images.txt", "nonsense\n", "."),
    ],
)
def test_bad_models_give_one_line(tmp_path, file, text, reason):
    model = write_model(tmp_path, PINHOLE, project(np.zeros(4)))
    (model / file).write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_colmap(model, tmp_path)
    assert str(caught.value).startswith(str(model))
    assert "\n" not in str(caught.value)


def test_models_without_images_or_points_are_empty(tmp_path):
    model = write_model(tmp_path, PINHOLE, project(np.zeros(4)))
    (model / "points3D.txt").write_text("")
    lines = (model / "images.txt").read_text().splitlines()
    (model / "images.txt").write_text(f"{lines[0]}\n5.0 6.0 -1\n")
    with pytest.raises(InputError, match="the model is empty, it has no points"):
        read_colmap(model, tmp_path)
    (model / "images.txt").write_text("")
    with pytest.raises(InputError, match="the model is empty, it has no registered image"):
        read_colmap(model, tmp_path)


def test_paths_that_are_no_model(tmp_path):
    with pytest.raises(InputError, match="absent: no such folder"):
        read_colmap(tmp_path / "absent", tmp_path)
    with pytest.raises(InputError, match="no COLMAP model"):
        read_colmap(tmp_path, tmp_path)


@pytest.mark.skipif(not FOX.exists(), reason="the fox model is not beside the checkout")
def test_points_of_a_real_model_project_onto_their_observations():
    frames, known = read_colmap(FOX / "sparse", FOX / "images")
    assert len(frames) == 50
    errors = []
    for frame in frames:
        rotation, centre = frame.T_map_camera[:3, :3], frame.T_map_camera[:3, 3]
        local = (known.positions[known.indices[frame.name]] - centre) @ rotation
        projected = local @ frame.camera.matrix.T
        pixels = projected[:, :2] / projected[:, 2:]
        errors.append(np.linalg.norm(pixels - known.pixels[frame.name], axis=1))
    # The data's own table states 0.42 px mean and 0.34 px median.
    assert np.median(np.concatenate(errors)) == pytest.approx(0.34, abs=0.03)
    assert np.concatenate(errors).mean() == pytest.approx(0.42, abs=0.03)
    assert frames[0].load_image().shape == (800, 450, 3)
