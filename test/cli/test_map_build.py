"""`map build` as users type it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from cli.wall_recording import build, error_line, frames
from PIL import Image
from scene.wall import CAMERA
from shared_data import FOX, KITCHEN

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import DEPTH_TOPIC, GROUND_TRUTH_TOPIC
from dense_reloc_ros.cli import map_build
from dense_reloc_ros.cli.main import main
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import MapCalibration


def test_build_from_a_folder_with_the_default_network(folder, capsys, caplog):
    assert build(folder, "--device", "cpu", "--store-images", "--frame-id", "hall") == 0
    scene_map = load_map(folder.parent / "map", verify_content=True)
    out, _ = capsys.readouterr()
    information = scene_map.information
    assert f"4 keyframes, {information.point_count} points" in out
    assert information.revision in out
    assert "describing keyframes: 4 of 4 frames" in caplog.text
    assert set(information.calibration.temperatures) == set(information.signature.levels)
    assert information.frame_id == "hall"
    assert str(folder) in information.source
    assert (scene_map.points[:, 2] - 2.0).abs().median() < 0.02
    for descriptors in scene_map.descriptors.values():
        norms = torch.linalg.vector_norm(descriptors[:].float(), dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms), atol=2e-3, rtol=0)
    assert len(list((folder.parent / "map/images").iterdir())) == 4


def test_a_single_keyframe_makes_a_map_too(folder):
    assert build(folder, "--device", "cpu", "--every", "9") == 0
    scene_map = load_map(folder.parent / "map")
    assert scene_map.keyframe_count == 1
    assert scene_map.information.calibration == MapCalibration()


@pytest.mark.usefixtures("pixel_describer")
def test_keyframes_can_be_thinned(folder):
    assert build(folder, "--every", "3") == 0
    names = load_map(folder.parent / "map").information.keyframe_names
    assert names == ["frame-000000", "frame-000003"]
    # Neighbours are 0.17 m and 4 degrees apart.
    assert build(folder, "--keyframe-distance", "0.2") == 0
    names = load_map(folder.parent / "map").information.keyframe_names
    assert names == ["frame-000000", "frame-000002"]
    assert build(folder, "--keyframe-distance", "0.2", "--keyframe-angle", "3") == 0
    assert load_map(folder.parent / "map").keyframe_count == 4


@pytest.mark.usefixtures("pixel_describer")
def test_coordinates_are_stored_with_their_images(folder, capsys):
    (folder / "frame-000002.depth.png").write_bytes(half_known_depth())
    assert build(folder, "--coordinates") == 0
    path = folder.parent / "map"
    scene_map = load_map(path)
    coordinates = scene_map.coordinates
    assert coordinates.shape == (4, 48, 64, 3)
    known = coordinates.isfinite().all(-1)
    assert known[[0, 1, 3]].all()
    assert known[2].float().mean() == pytest.approx(0.5, abs=0.01)
    assert (coordinates[known][:, 2] - 2.0).abs().max() < 0.03
    assert scene_map.images(3).shape == (120, 160, 3)
    capsys.readouterr()
    assert main(["map", "info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "64x48 a keyframe, 88 % known" in shown
    assert "0.1 MB of coordinates" in shown
    assert main(["map", "info", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["coordinates"]["rows"], content["coordinates"]["columns"]) == (48, 64)
    assert content["coordinates"]["known"] == pytest.approx(0.875, abs=0.01)


def half_known_depth() -> bytes:
    depth = np.rint(frames()[2].load_depth() * 1000).astype(np.uint16)
    depth[:, 80:] = 0
    buffer = io.BytesIO()
    Image.fromarray(depth).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.usefixtures("pixel_describer")
def test_coordinates_need_depth(folder, capsys):
    for depth in folder.glob("*.depth.png"):
        depth.unlink()
    assert build(folder, "--coordinates") == 2
    assert "--coordinates needs depth" in error_line(capsys.readouterr().err)


@pytest.mark.usefixtures("pixel_describer")
def test_folders_without_depth_are_triangulated(folder):
    for depth in folder.glob("*.depth.png"):
        depth.unlink()
    assert build(folder) == 0
    points = load_map(folder.parent / "map").points
    assert (points[:, 2] - 2.0).abs().median() < 0.01


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize("depth", [[], ["--depth-topic", DEPTH_TOPIC]])
def test_build_from_a_bag(tmp_path, depth):
    with BagWriter(tmp_path / "bag", CAMERA) as bag:
        bag.write_static_tf(1)
        for index, frame in enumerate(frames()):
            stamp = 10**9 + index * 10**8
            bag.write_ground_truth(stamp, frame.T_map_camera)
            bag.write_image(stamp, frame.load_image())
            bag.write_depth(stamp, frame.load_depth())
    source = ["--bag", str(tmp_path / "bag"), "--pose-topic", GROUND_TRUTH_TOPIC, *depth]
    assert main(["map", "build", *source, "--output", str(tmp_path / "map")]) == 0
    points = load_map(tmp_path / "map").points
    assert (points[:, 2] - 2.0).abs().median() < 0.01


@pytest.mark.skipif(not FOX.exists(), reason="the fox model is not beside the checkout")
@pytest.mark.usefixtures("pixel_describer")
def test_build_from_a_colmap_model(tmp_path):
    source = ["--colmap", str(FOX / "sparse"), "--images", str(FOX / "images"), "--every", "10"]
    assert main(["map", "build", *source, "--output", str(tmp_path / "map")]) == 0
    scene_map = load_map(tmp_path / "map")
    assert scene_map.keyframe_count == 5
    assert len(scene_map.points) > 2000


@pytest.mark.slow
@pytest.mark.skipif(not KITCHEN.exists(), reason="the kitchen recording is not beside the checkout")
def test_kitchen(tmp_path, capsys):
    source = ["--seven-scenes", str(KITCHEN / "map")]
    source += ["--camera-info", str(KITCHEN / "camera_info.yaml")]
    output = str(tmp_path / "map")
    assert main(["map", "build", *source, "--every", "5", "--output", output]) == 0
    capsys.readouterr()
    assert main(["map", "info", output, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["keyframes"] == 20
    assert content["size_mb_per_keyframe"] <= 1.5
    assert content["points"] > 5000
    assert content["observations_per_point"] > 1.2


@pytest.mark.usefixtures("pixel_describer")
def test_videos_are_thinned_unless_told_otherwise(folder, monkeypatch, caplog):
    monkeypatch.setattr(map_build, "MOST_FRAMES", 3)
    monkeypatch.setattr(map_build, "KEYFRAME_DISTANCE", 0.2)

    def keyframes(*options: str) -> int:
        assert build(folder, *options) == 0
        return load_map(folder.parent / "map").keyframe_count

    # The wall's frames are 0.16 m apart.
    assert keyframes() == 2
    assert "4 frames are a video: keyframes are taken every 0.20 m" in caplog.text
    assert keyframes("--keyframe-distance", "0") == 4
    assert keyframes("--every", "1") == 4
    monkeypatch.setattr(map_build, "MOST_FRAMES", 4)
    assert keyframes() == 4


@pytest.mark.usefixtures("pixel_describer")
def test_points_are_exported_in_the_colours_of_the_images(folder, capsys):
    assert build(folder, "--store-images") == 0
    ply = folder.parent / "map.ply"
    assert main(["map", "export", str(folder.parent / "map"), "--ply", str(ply)]) == 0
    count = len(load_map(folder.parent / "map").points)
    assert f"{ply}: {count} points" in capsys.readouterr().out
    assert ply.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex")


@pytest.mark.usefixtures("pixel_describer")
def test_points_can_be_taken_away_and_moved(folder):
    assert build(folder) == 0
    whole = load_map(folder.parent / "map")
    assert build(folder, "--point-share", "0.2", "--point-noise", "5") == 0
    poor = load_map(folder.parent / "map", verify_content=True)
    assert len(poor.points) == pytest.approx(0.2 * len(whole.points), rel=0.5)
    assert "20 % of the points with 5 % noise" in poor.information.source
    # The wall is in a distance of 2 m, and 5 % of that is 0.1 m.
    assert float(poor.points[:, 2].std()) == pytest.approx(0.1, rel=0.4)


def test_depth_can_be_ignored(folder, capsys):
    assert build(folder, "--device", "cpu", "--ignore-depth", "--coordinates") == 2
    assert "--coordinates needs depth" in error_line(capsys.readouterr().err)
    assert build(folder, "--device", "cpu", "--ignore-depth") == 0
    scene_map = load_map(folder.parent / "map")
    assert (scene_map.points[:, 2] - 2.0).abs().median() < 0.05


@pytest.mark.usefixtures("pixel_describer")
def test_shares_of_points_that_make_no_sense_are_refused(folder, capsys):
    assert build(folder, "--point-share", "0") == 2
    assert "a map cannot keep the share 0 of its points" in error_line(capsys.readouterr().err)
