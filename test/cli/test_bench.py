"""The `bench` commands as users type them, on a small rendered room."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping
from dense_reloc_ros.rendering.room import Box, Room, Walkway

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
SIZE = (6.0, 5.0, 3.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """`mapping` and `query` frames of a room, and `map` and `sift_map` of the former."""
    folder = tmp_path_factory.mktemp("bench")
    room = patterned_room()
    walk = [camera_pose(-1 + 0.3 * k, -0.5, 0.3 + 0.12 * k) for k in range(6)]
    write_mapping(folder / "mapping", room, CAMERA, walk, seed=0)
    visit = [camera_pose(-0.9 + 0.3 * k, -0.3, 0.4 + 0.1 * k) for k in range(4)]
    write_mapping(folder / "query", room, CAMERA, visit, seed=1)
    source = ["--seven-scenes", folder / "mapping", "--camera-info", camera_info(folder)]
    for method, name in (("nre", "map"), ("sift_pnp", "sift_map")):
        command = ["map", "build", *source, "--method", method, "--output", folder / name]
        assert main([str(word) for word in command]) == 0
    return folder


def patterned_room() -> Raycaster:
    """Four walls with random squares of several sizes."""
    rng = np.random.default_rng(0)
    walls = []
    # The back of a box that stands outside is the wall as seen from inside.
    for face, x, y in (("left", 6, 0), ("right", -6, 0), ("front", 0, 5), ("back", 0, -5)):
        octaves = [rng.uniform(0, 255, (3 * n, 4 * n, 3)) for n in (4, 13, 30)]
        sized = [cv2.resize(o, (800, 600), interpolation=cv2.INTER_NEAREST) for o in octaves]
        T_map_box = np.eye(4)
        T_map_box[:2, 3] = x, y
        walls.append(Box(T_map_box, SIZE).face(face, np.mean(sized, axis=0).astype(np.uint8)))
    return Raycaster(Room(SIZE, tuple(walls), (), (), np.ones(3), Walkway((1, 1), (2, 2))))


def camera_pose(x: float, y: float, yaw: float) -> np.ndarray:
    """Level, 1.5 m above the floor, looking along `yaw` radians from x."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:3, :3] = [[sin, 0, cos], [-cos, 0, sin], [0, -1, 0]]
    pose[:3, 3] = x, y, 1.5
    return pose


def camera_info(folder: Path) -> Path:
    return folder / "mapping" / CAMERA_INFO_FILE


def bench(folder: Path, command: str, *options: str | Path) -> int:
    source = ["--seven-scenes", folder / "query", "--camera-info", camera_info(folder)]
    words = ["bench", command, "--map", folder / "map", *source, *options]
    return main([str(word) for word in words])


def results(folder: Path, command: str, *options: str | Path) -> list[dict]:
    """What a command writes."""
    assert bench(folder, command, "--output", folder / "numbers", *options) == 0
    return json.loads((folder / "numbers" / f"{command}.json").read_text())


def test_robustness(folder, capsys):
    methods = ["--methods", "nre", "sift_pnp", "--map", folder / "sift_map"]
    every = results(folder, "robustness", "--levels", "clean", "dim", *methods)
    assert [(result["level"], result["method"], Path(result["map"]).name) for result in every] == [
        ("clean", "nre", "map"),
        ("clean", "sift_pnp", "sift_map"),
        ("dim", "nre", "map"),
        ("dim", "sift_pnp", "sift_map"),
    ]
    for result in every:
        assert (result["frames"], result["keyframes"]) == (4, 6)
        assert (result["recall"]["25cm_2deg"], result["wrong"]) == (1.0, 0)
    clean, dim = every[0], every[2]
    assert clean["median_translation_m"] != dim["median_translation_m"]
    rows = [line for line in capsys.readouterr().out.splitlines() if " nre " in line]
    assert f"{100 * dim['median_translation_m']:.2f} cm" in rows[1]
    assert "map (6 keyframes)" in rows[1]


def test_poses(folder, capsys):
    every = results(folder, "poses", "--levels", "harsh", "--every", "2", "--device", "cpu")
    assert [result["method"] for result in every] == ["re", "re_smoothed", "nre"]
    for result in every:
        assert (result["level"], result["frames"]) == ("harsh", 2)
        assert set(result["outside"].values()) <= {0.0, 0.5, 1.0}
    nre = every[-1]
    assert nre["deterioration"] == dict.fromkeys(nre["outside"], 0.0)
    row = next(line for line in capsys.readouterr().out.splitlines() if " nre " in line)
    assert row.count("(+0%)") == 3


def test_speed(folder, capsys):
    (result,) = results(folder, "speed", "--warm-up", "3", "--methods", "re", "--device", "cpu")
    assert (result["method"], result["device"], result["frames"]) == ("re", "cpu", 1)
    assert result["frame_ms"]["median"] >= sum(s["median"] for s in result["stage_ms"].values())
    assert {"features", "retrieval", "matching", "pose"} <= result["stage_ms"].keys()
    size = sum(file.stat().st_size for file in (folder / "map").iterdir()) / 1e6
    assert result["map_mb_per_keyframe"] == pytest.approx(size / 6)
    assert result["ratio_to_baseline"] is None
    assert result["peak_gpu_memory_mb"] is None
    if Path("/proc/self/status").exists():
        assert 100 < result["peak_memory_mb"] < 20_000  # torch alone takes more than the former
    shown = capsys.readouterr().out
    assert "re on cpu" in shown
    assert f"{result['map_mb_per_keyframe']:.2f} MB" in shown


def test_a_ground_truth_file_replaces_the_poses_beside_the_images(folder, tmp_path):
    lines = [f"{k / 30:.9f} 50 0 0 0 0 0 1" for k in range(4)]
    (tmp_path / "truth.tum").write_text("\n".join(lines))
    (result,) = results(
        folder, "robustness", "--levels", "clean", "--ground-truth", tmp_path / "truth.tum"
    )
    assert (result["evaluated"], result["wrong"]) == (4, 4)


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("robustness", ["--levels", "noon"], "unknown level 'noon'"),
        ("robustness", ["--methods", "sift_pnp"], "none of the maps is made for"),
        ("poses", ["--methods", "teleport"], "unknown method 'teleport'"),
        ("speed", ["--warm-up", "4"], "4 frames are too few"),
        ("speed", ["--output", "/dev/null/numbers"], "cannot be written to"),
    ],
)
def test_mistakes_are_one_clear_line(folder, command, options, message, capsys):
    assert bench(folder, command, *options) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dense-reloc: error: ")
    assert message in last


def test_poses_must_be_known_to_be_compared(folder, capsys):
    source = ["--images", str(folder / "query"), "--camera-info", str(camera_info(folder))]
    assert main(["bench", "robustness", "--map", str(folder / "map"), *source]) == 2
    assert "--ground-truth" in capsys.readouterr().err
