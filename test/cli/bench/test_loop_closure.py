"""`bench loop-closure` as users type it, on a small rendered room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from patterned_room import CAMERA, camera_pose, patterned_room

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping

FRAMES = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """`query`, a walk through a room, and `map`."""
    pytest.importorskip("gtsam")
    folder = tmp_path_factory.mktemp("loop_closure")
    room, camera = patterned_room(), CAMERA.scaled(160, 120)
    walk = [camera_pose(-1 + 0.3 * k, -0.5, 0.3 + 0.12 * k) for k in range(5)]
    write_mapping(folder / "mapping", room, camera, walk, seed=0)
    visit = [camera_pose(-0.9 + 0.05 * k, -0.3, 0.4 + 0.015 * k) for k in range(FRAMES)]
    write_mapping(folder / "query", room, camera, visit, seed=1, step=30)
    words = ["map", "build", *source(folder / "mapping"), "--output", folder / "map"]
    assert main([str(word) for word in words]) == 0
    return folder


def source(frames: Path) -> list[str | Path]:
    return ["--seven-scenes", frames, "--camera-info", frames / CAMERA_INFO_FILE]


def bench(folder: Path, *options: str | Path) -> int:
    words = ["bench", "loop-closure", "--map", folder / "map", *source(folder / "query"), *options]
    return main([str(word) for word in [*words, "--device", "cpu"]])


def test_closes_a_path_and_draws_it(folder, capsys):
    output = folder / "numbers"
    options = ["--seeds", "0", "1", "--laps", "1", "3", "--gyro-bias", "0.5", "--output", output]
    assert bench(folder, *options) == 0
    found = json.loads((output / "loop_closure.json").read_text())
    assert [summary["laps"] for summary in found] == [1] * 8 + [3] * 8
    three = {summary["way"]: summary for summary in found[8:]}
    alone, closed = three["odometry alone"], three["closed"]
    assert closed["median"]["ate_m"] < alone["median"]["ate_m"] / 3
    without = three["without the wrong ones"]["median"]["ate_m"]
    assert three["with wrong ones, switchable"]["median"]["ate_m"] < 1.05 * without
    shown = capsys.readouterr().out
    assert "odometry alone" in shown and "2 seeds" in shown
    assert "Loop closure, 3 laps" in (output / "report.html").read_text()
    assert (output / "loop_closure_1.png").stat().st_size > 10_000


def test_takes_wrong_constraints_from_another_map(folder, capsys):
    options = ["--seeds", "0", "--wrong", "0.2", "--wrong-map", folder / "map"]
    assert bench(folder, *options) == 0  # the same map: its poses are right
    assert "wrong" in capsys.readouterr().out


def test_needs_true_poses(folder, tmp_path, capsys):
    for path in (folder / "query").glob("*.color.*"):
        (tmp_path / path.name).symlink_to(path)
    info = ["--camera-info", str(folder / "query" / CAMERA_INFO_FILE)]
    words = ["bench", "loop-closure", "--map", str(folder / "map"), "--seven-scenes", str(tmp_path)]
    assert main([*words, *info]) == 2
    assert "--ground-truth TUM" in capsys.readouterr().err
