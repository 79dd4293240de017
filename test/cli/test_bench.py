"""The `bench` commands as users type them, on a small rendered room."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from patterned_room import CAMERA, camera_pose, patterned_room
from safetensors.torch import save_file

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.dsm.scene_matcher import create_scene_matcher
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping


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


def test_table(folder, capsys):
    options = ["--mapping", folder / "mapping", "--mapping-every", "2", "--maps", folder / "maps"]
    chosen = [
        "--networks",
        "dense_sift",
        "s2dnet",
        "effnet_lite0",
        "--methods",
        "nre_coarse",
        "nre",
    ]
    source = ["--seven-scenes", folder / "query", "--camera-info", camera_info(folder)]
    words = ["bench", "table", *options, *source, *chosen, "--levels", "dim", "--device", "cpu"]
    assert main([str(word) for word in [*words, "--output", folder / "numbers"]]) == 0
    entries = json.loads((folder / "numbers/table.json").read_text())
    assert [(entry["network"], entry["method"]) for entry in entries] == [
        ("dense_sift", "nre_coarse"),
        ("dense_sift", "nre"),
        ("effnet_lite0", "nre_coarse"),
        ("effnet_lite0", "nre"),
    ]
    for entry in entries:
        assert (entry["level"], entry["frames"], entry["keyframes"]) == ("dim", 4, 3)
        assert entry["outside"]["25cm_10deg"] == 0.0
        stages = sum(stage["median"] for stage in entry["stage_ms"].values())
        assert entry["frame_ms"]["median"] > 0.5 * stages
    # Float32: 128 channels at stride 8 and at stride 4 of 320 x 240 pixels.
    assert entries[0]["features_mb"] == pytest.approx(4 * 128 * (40 * 30 + 80 * 60) / 1e6)
    coarse, both = (entry["correspondence_maps_mb"] for entry in entries[:2])
    assert both / coarse == pytest.approx(1 + 12**2 / (40 * 30))
    assert {path.name for path in (folder / "maps").iterdir()} == {"dense_sift", "effnet_lite0"}
    captured = capsys.readouterr()
    words = ["bench", "poses", "--map", folder / "maps/effnet_lite0", *source, "--levels", "dim"]
    words += ["--methods", "nre_coarse", "nre", "--device", "cpu", "--output", folder / "numbers"]
    assert main([str(word) for word in words]) == 0
    alone = json.loads((folder / "numbers/poses.json").read_text())
    assert [entry["outside"] for entry in entries[2:]] == [result["outside"] for result in alone]
    assert "s2dnet is left out: network 's2dnet' has no weights" in captured.err
    assert "s2dnet" not in captured.out


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


def test_operations(folder, capsys):
    (result,) = results(folder, "operations", "--methods", "re")
    assert (result["method"], len(result["frames"])) == ("re", 4)
    frame = result["frames"][0]
    for stage in ("features", "retrieval", "matching", "pose"):
        assert frame["stages"][stage]["operations"] > 0
    alone = [sum(s["operations"] for s in f["stages"].values()) for f in result["frames"]]
    assert result["batch"] == 4
    assert result["batch_operations"] < sum(alone) / 4
    shown = capsys.readouterr().out
    assert "all frames" in shown
    assert "one of 4 at once, mean" in shown


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "sift_pnp"], "method 'sift_pnp' does not work on dense features"),
        (["--methods", "dsm"], "method 'dsm' does not work on dense features"),
        (["--networks", "s2dnet"], "network 's2dnet' has no weights of its own"),
        (["--weights", "s2dnet=/nowhere", "--networks", "s2dnet"], "/nowhere"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused(options, message, folder, capsys):
    source = ["--seven-scenes", folder / "query", "--camera-info", camera_info(folder)]
    words = ["bench", "table", "--mapping", folder / "mapping", "--networks", "dense_sift", *source]
    assert main([str(word) for word in [*words, *options, "--device", "cpu"]]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dense-reloc: error: ")
    assert message in last


def test_dsm(folder, tmp_path, capsys):
    """With an untrained network, whose numbers are worth nothing."""
    weights = tmp_path / "untrained.safetensors"
    save_file(create_scene_matcher("dsm_compact").state_dict(), weights)
    (tmp_path / "parameters.yaml").write_text(f"dsm: {{weights: {weights}, scene_images: 2}}")
    scene = tmp_path / "room"
    scene.mkdir()
    (scene / "map").symlink_to(folder / "mapping")
    (scene / "query").symlink_to(folder / "query")
    options = ["--every", "2", "--mapping-every", "3", "--methods", "re", "dsm_compact"]
    options += ["--device", "cpu", "--config", tmp_path / "parameters.yaml"]
    words = ["bench", "dsm", scene, *options, "--output", tmp_path / "numbers"]
    assert main([str(word) for word in words]) == 0
    results = json.loads((tmp_path / "numbers/dsm.json").read_text())
    ways = [("re", "single"), ("dsm_compact", "single"), ("dsm_compact", "video")]
    assert [(r["method"], r["way"]) for r in results] == ways
    for result in results:
        assert (result["queries"], result["frames"], result["keyframes"]) == ("room", 2, 2)
    assert results[0]["recall"]["25cm_2deg"] == 1.0
    assert results[0]["scene_coordinates"] is None
    for result in results[1:]:
        # What is above the walls has no depth.
        assert 0.8 < result["scene_coordinates"]["cells"] / (2 * 48 * 64) < 1.0
        assert len(result["scene_coordinates"]["candidates_m"]) == 16
    rows = [line for line in capsys.readouterr().out.splitlines() if "dsm_compact, video" in line]
    assert f"{100 * results[-1]['scene_coordinates']['median_m']:.2f} cm" in rows[0]
    assert cv2.imread(str(tmp_path / "numbers/scene_coordinates.png")) is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "teleport"], "unknown method 'teleport'"),
        ([], "camera_info.yaml: No such file"),
    ],
)
def test_scenes_that_cannot_be_compared_are_refused(options, message, tmp_path, capsys):
    assert main(["bench", "dsm", str(tmp_path / "room"), *options, "--device", "cpu"]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dense-reloc: error: ")
    assert message in last


def test_scale(folder, capsys):
    numbers = folder / "numbers_of_sizes"
    source = ["--seven-scenes", folder / "query", "--camera-info", camera_info(folder)]
    command = ["bench", "scale", "--map", folder / "map", "--copies", "3", *source]
    command += ["--warm-up", "1", "--device", "cpu", "--output", numbers]
    assert main([str(word) for word in command]) == 0
    small, large = json.loads((numbers / "scale.json").read_text())
    assert (small["speed"]["keyframes"], large["speed"]["keyframes"]) == (6, 18)
    assert small["ratio_to_smallest"] == 1.0
    assert small["speed"]["localized"] == large["speed"]["localized"] == 3
    assert min(small["startup_s"], large["startup_s"]) > 0
    assert (numbers / "maps" / "map_x3" / "map.json").is_file()
    assert "start-up" in capsys.readouterr().out


def test_input(tmp_path, capsys):
    command = ["bench", "input", "--size", "160", "120", "--runs", "3", "--output", str(tmp_path)]
    assert main(command) == 0
    every = json.loads((tmp_path / "input.json").read_text())
    steps = [result["step"] for result in every]
    assert steps[0] == "conversion from rgb8" and steps[-1] == "look-up in TF"
    assert sum(step.startswith("undistortion") for step in steps) == 2
    assert all(0 < result["median_ms"] <= result["p95_ms"] for result in every)
    assert "160x120" in capsys.readouterr().out
