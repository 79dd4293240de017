"""`bench video` and `localize --fusion` as users type them, on a small rendered room."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from patterned_room import CAMERA, camera_pose, patterned_room

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.images.bursts import schedule
from dense_reloc_ros.rendering.paths import Motion
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping, write_query_bag

FRAMES = 22


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """`query`, a video of a room, and `map`."""
    folder = tmp_path_factory.mktemp("video")
    room, camera = patterned_room(), CAMERA.scaled(160, 120)
    walk = [camera_pose(-1 + 0.3 * k, -0.5, 0.3 + 0.12 * k) for k in range(5)]
    write_mapping(folder / "mapping", room, camera, walk, seed=0)
    visit = [camera_pose(-0.9 + 0.02 * k, -0.3, 0.4 + 0.015 * k) for k in range(FRAMES)]
    write_mapping(folder / "query", room, camera, visit, seed=1, step=2)
    words = ["map", "build", *source(folder / "mapping"), "--output", folder / "map"]
    assert main([str(word) for word in words]) == 0
    return folder


def source(frames: Path) -> list[str | Path]:
    return ["--seven-scenes", frames, "--camera-info", frames / CAMERA_INFO_FILE]


def video(folder: Path, *options: str | Path) -> int:
    words = ["bench", "video", "--map", folder / "map", *source(folder / "query"), *options]
    return main([str(word) for word in [*words, "--device", "cpu"]])


def test_bursts_light_and_memory(folder, capsys):
    chosen = ["--levels", "bursts", "clean", "--seeds", "4", "--memory-frames", "20"]
    assert video(folder, *chosen, "--output", folder / "numbers") == 0
    shown = capsys.readouterr().out
    bursts, clean = json.loads((folder / "numbers/video.json").read_text())
    assert (bursts["level"], bursts["videos"], bursts["keyframes"]) == ("bursts", 1, 5)
    (planned,) = schedule([k / 15 for k in range(FRAMES)], seed=4)
    assert {kind: contrast["frames"] for kind, contrast in bursts["kinds"].items()} == {
        planned.kind: planned.end - planned.begin,
        "clear": FRAMES - (planned.end - planned.begin),
    }
    assert (clean["level"], clean["kinds"], clean["all"]["frames"]) == ("clean", {}, FRAMES)
    for reached in (clean["all"], bursts["kinds"]["clear"]):
        assert reached["single"]["recall"] > 0.9
        assert reached["fused"]["recall"] > 0.9
        assert (reached["single"]["wrong"], reached["fused"]["wrong"]) == (0, 0)
    assert clean["added_time"] > 0
    assert "map (5 keyframes)" in shown
    assert planned.kind in shown
    check_memory(folder, shown)


def check_memory(folder: Path, shown: str) -> None:
    (result,) = json.loads((folder / "numbers/memory.json").read_text())
    assert result["frames"] == 20
    assert 0 <= result["fused"] < 20
    if Path("/proc/self/status").exists():
        assert len(result["resident_mb"]) == 20
        assert min(result["resident_mb"]) > 100  # torch alone takes more
        growth = result["resident_mb"][-1] - result["resident_mb"][0]
        assert f"{growth:+.1f} MB" in shown


def test_a_bag_with_odometry_is_localized_with_fusion(folder, tmp_path, capsys):
    poses = np.stack([camera_pose(-0.9 + 0.04 * k, -0.3, 0.4 + 0.03 * k) for k in range(6)])
    motion = Motion(np.arange(6) / 15, poses, np.eye(4))
    odometry = drifting_odometry(poses, 0.02, seed=0)
    room, camera = patterned_room(), CAMERA.scaled(160, 120)
    write_query_bag(tmp_path / "bag", room, camera, motion, odometry, seed=2)
    data = ["--map", folder / "map", "--bag", tmp_path / "bag", "--output", tmp_path / "report"]
    assert main([str(word) for word in ["localize", "--fusion", *data, "--device", "cpu"]]) == 0
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["mode"] == "localize with fusion over time"
    assert (report["frames"], report["wrong"]) == (6, 0)
    transform = report["map_to_odom"]
    assert transform["frames"] == report["localized"] == 6
    assert 0 < transform["worst_translation_m"] < 0.1
    shown = capsys.readouterr().out
    assert f"{100 * transform['worst_translation_m']:.2f} cm" in shown
    assert "Map to odometry" in (tmp_path / "report/report.html").read_text()
    assert (tmp_path / "report/map_to_odom.png").stat().st_size > 1000


def test_parameters_of_the_fusion_come_from_a_file(folder, tmp_path, capsys):
    (tmp_path / "fusion.yaml").write_text("max_age: -1")
    assert video(folder, "--fusion-config", tmp_path / "fusion.yaml") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "fusion.yaml: parameter 'max_age'" in error


def test_odometry_that_drifts_is_made_of_the_true_poses(folder, tmp_path, capsys):
    chosen = ["--levels", "clean", "--every", "4", "--odometry-drift", "2"]
    assert video(folder, *chosen, "--output", tmp_path) == 0
    (clean,) = json.loads((tmp_path / "video.json").read_text())
    assert clean["all"]["fused"]["recall"] > 0.9
    assert clean["all"]["fused"]["consistency"]["frames"] == 6
    with pytest.raises(SystemExit):
        video(folder, "--odometry-drift", "-1")
    assert "-1 is not a number from 0 to 100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--levels", "noon"], "unknown level 'noon'"),
        (["--every", "20"], "2 frames are too short a video for a burst"),
    ],
)
def test_mistakes_are_one_clear_line(folder, options, message, capsys):
    assert video(folder, *options) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
