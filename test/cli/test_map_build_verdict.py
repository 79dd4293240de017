"""`map build` refuses what cannot be a map, names the remedy, and the remedy works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from cli.wall_recording import build, error_line
from mapping.consistency.room_frames import room_frames
from patterned_room import CAMERA
from PIL import Image

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.sources.pose_convention import T_GIVEN_OPTICAL
from dense_reloc_ros.scene.reader import load_map

pytestmark = pytest.mark.usefixtures("pixel_describer")

Change = Callable[[np.ndarray], np.ndarray]


def same(values: np.ndarray) -> np.ndarray:
    return values


def write_recording(folder: Path, poses: Change = same, depth: Change = same) -> Path:
    """The patterned room; `depth` makes what is stored of depth in millimetres."""
    folder.mkdir()
    info = {
        "image_width": CAMERA.width,
        "image_height": CAMERA.height,
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
    }
    (folder / "camera.yaml").write_text(yaml.safe_dump(info))
    for frame in room_frames():
        Image.fromarray(frame.load_image()).save(folder / f"{frame.name}.color.png")
        stored = depth(np.rint(frame.load_depth().astype(np.float64) * 1000))
        if stored.dtype == np.float32:
            Image.fromarray(stored).save(folder / f"{frame.name}.depth.tiff")
        else:
            Image.fromarray(stored.astype(np.uint16)).save(folder / f"{frame.name}.depth.png")
        np.savetxt(folder / f"{frame.name}.pose.txt", poses(frame.known_pose()))
    return folder


def in_millimetres(pose: np.ndarray) -> np.ndarray:
    return np.vstack([np.hstack([pose[:3, :3], 1000 * pose[:3, 3:]]), pose[3:]])


CASES: dict[str, tuple[Change, Change, list[str]]] = {
    "world to camera": (inverse, same, ["--poses", "world-to-camera"]),
    "OpenGL": (lambda pose: pose @ T_GIVEN_OPTICAL["opengl"], same, ["--axes", "opengl"]),
    "millimetres": (in_millimetres, same, ["--pose-scale", "1000"]),
    "5000 values per metre": (same, lambda depth: 5 * depth, ["--depth-scale", "5000"]),
    "millimetres as floating point": (
        same,
        lambda depth: depth.astype(np.float32),
        ["--depth-scale", "1000"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_conventions_are_refused_and_the_named_option_makes_the_map(tmp_path, capsys, case):
    poses, depth, remedy = CASES[case]
    folder = write_recording(tmp_path / "recording", poses, depth)
    assert build(folder) == 2
    line = error_line(capsys.readouterr().err)
    assert "images and poses contradict each other, so no map is made" in line
    assert " ".join(remedy) in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["recording"]
    assert build(folder, *remedy) == 0
    scene_map = load_map(tmp_path / "map")
    assert scene_map.information.verdict.state == "consistent"
    true = np.stack([frame.known_pose() for frame in room_frames()])
    np.testing.assert_allclose(scene_map.keyframe_poses.numpy(), true, atol=1e-6)
    # The room is 6 m x 5 m x 3 m.
    low, high = scene_map.information.bounding_box
    assert np.all(np.array(low) > [-3.1, -2.6, -0.1])
    assert np.all(np.array(high) < [3.1, 2.6, 3.1])


def test_a_refused_recording_is_accepted_on_request_and_map_info_says_so(tmp_path, capsys):
    folder = write_recording(tmp_path / "recording", inverse)
    assert build(folder) == 2
    assert "(--accept-inconsistent makes it all the same)" in error_line(capsys.readouterr().err)
    assert build(folder, "--accept-inconsistent") == 0
    assert load_map(tmp_path / "map").information.verdict.state == "inconsistent"
    capsys.readouterr()
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    shown = capsys.readouterr().out
    assert "verdict       inconsistent, made by --accept-inconsistent: " in shown
    assert "poses look inverted: try --poses world-to-camera" in shown


def test_depth_in_metres_as_floating_point_is_read_as_it_is(tmp_path):
    folder = write_recording(tmp_path / "recording", depth=lambda d: (d / 1000).astype(np.float32))
    assert build(folder) == 0
    verdict = load_map(tmp_path / "map").information.verdict
    assert verdict.state == "consistent"
    assert verdict.depth_factor == pytest.approx(1.0, abs=0.01)


def test_the_verdict_stands_in_map_info(tmp_path, capsys):
    folder = write_recording(tmp_path / "recording", depth=lambda depth: 1.1 * depth)
    assert build(folder) == 0
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("verdict ")]
    assert "doubtful: " in line
    assert "1.1 times too large: try --depth-scale 1100" in line
    assert main(["map", "info", "--json", str(tmp_path / "map")]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert verdict["depth_factor"] == pytest.approx(1.1, abs=0.01)


def test_maps_of_older_versions_say_that_they_were_not_judged(tmp_path, capsys):
    folder = write_recording(tmp_path / "recording")
    assert build(folder) == 0
    file = tmp_path / "map/map.json"
    content = json.loads(file.read_text())
    del content["verdict"]
    file.write_text(json.dumps(content))
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    assert "verdict       not judged, the map was built by an older version" in (
        capsys.readouterr().out
    )
