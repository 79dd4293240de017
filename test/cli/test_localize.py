from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.create import create_bag
from dense_reloc_ros.cli import localize
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import factory
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.scene.scene_map import MapCalibration

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
CALIBRATION = MapCalibration()


class StandsStill:
    """Localizes every image at the origin, against a map of four points."""

    method = "fake"
    device = "cpu"
    images_at_once = 1

    def __init__(self) -> None:
        import torch

        self.scene_map = SimpleNamespace(
            origin=np.zeros(3),
            information=SimpleNamespace(revision="00ff", calibration=CALIBRATION),
            points=torch.tensor([[0.1 * i, 0.0, 2.0] for i in range(4)]),
            observation_points=torch.arange(4),
            keyframe_poses=torch.eye(4, dtype=torch.float64)[None],
            observations=lambda keyframe: slice(0, 4),
        )

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        assert camera == CAMERA
        estimate = PoseEstimate(
            np.eye(4), 1e-4 * np.eye(6), 0.9, np.arange(4), (0,), confidence=0.5
        )
        return Localization(Status.LOCALIZED, "", estimate, {"features": 1.0})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three frames, 0, 1 and 2 cm away from the origin, and their camera_info."""
    folder = tmp_path / "recording"
    folder.mkdir()
    for index in range(3):
        pose = np.eye(4)
        pose[0, 3] = 0.01 * index
        np.savetxt(folder / f"frame-{index:06d}.pose.txt", pose)
        cv2.imwrite(str(folder / f"frame-{index:06d}.color.png"), np.zeros((24, 32, 3), np.uint8))
    info = {
        "image_width": 32,
        "image_height": 24,
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
    }
    (tmp_path / "camera_info.yaml").write_text(yaml.safe_dump(info))
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    """Runs `localize` with options and gives what report.json says."""
    monkeypatch.setattr(factory, "open_localizer", lambda *arguments: StandsStill())
    parser = argparse.ArgumentParser()
    localize.register(parser.add_subparsers())

    def run(*options: str | Path) -> dict:
        output = tmp_path / "report"
        common = ["localize", "--map", "map", "--output", str(output)]
        arguments = parser.parse_args([*common, *map(str, options)])
        assert arguments.run(arguments) == 0
        return json.loads((output / "report.json").read_text())

    return run


def test_a_folder_with_poses_is_compared_with_them(run, recording: Path, capsys):
    info = recording.parent / "camera_info.yaml"
    report = run("--seven-scenes", recording, "--camera-info", info)
    assert (report["frames"], report["localized"], report["wrong"]) == (3, 3, 0)
    assert report["median_translation_m"] == pytest.approx(0.01)
    assert (report["method"], report["map_revision"]) == ("fake", "00ff")
    # All three poses are right, and the map says of each that it is with probability one half.
    assert report["calibration"]["expected_calibration_error"] == pytest.approx(0.5)
    assert (recording.parent / "report" / "worst_frames.png").exists()
    assert "3 of 3" in capsys.readouterr().out


def test_a_bag_brings_its_intrinsics_and_ground_truth(run, recording: Path):
    create_bag(recording, CAMERA, recording.parent / "bag")
    report = run("--bag", recording.parent / "bag")
    assert (report["evaluated"], report["median_translation_m"]) == (3, pytest.approx(0.01))


def test_images_need_a_ground_truth_file_to_be_compared(run, recording: Path):
    info = recording.parent / "camera_info.yaml"
    report = run("--images", recording, "--camera-info", info)
    assert (report["localized"], report["evaluated"], report["recall"]) == (3, 0, None)
    truth = recording.parent / "truth.tum"
    truth.write_text("".join(f"{index} 0.03 0 0 0 0 0 1\n" for index in range(3)))
    report = run("--images", recording, "--camera-info", info, "--ground-truth", truth)
    assert report["median_translation_m"] == pytest.approx(0.03)


def test_few_frames_with_a_ground_truth_are_told(run, recording: Path, capsys):
    truth = recording.parent / "truth.tum"
    # Frames were taken at 0, 1/30 and 2/30 s.
    truth.write_text("0.0334 0.03 0 0 0 0 0 1\n5 0 0 0 0 0 0 1\n")
    info = recording.parent / "camera_info.yaml"
    report = run("--seven-scenes", recording, "--camera-info", info, "--ground-truth", truth)
    assert (report["frames"], report["evaluated"]) == (3, 1)
    said = "1 of 3 frames have a ground truth within 5 ms"
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (recording.parent / "report/report.html").read_text()


def test_a_ground_truth_of_another_time_is_refused(run, recording: Path):
    truth = recording.parent / "truth.tum"
    truth.write_text("100.0 0.03 0 0 0 0 0 1\n")
    info = recording.parent / "camera_info.yaml"
    with pytest.raises(InputError, match="none of the 3 frames has a ground truth within 5 ms"):
        run("--seven-scenes", recording, "--camera-info", info, "--ground-truth", truth)


def test_any_topic_of_poses_can_be_the_ground_truth(run, recording: Path):
    bag = recording.parent / "bag"
    with BagWriter(bag, CAMERA) as writer:
        writer.write_static_tf(10**9)
        for index in range(3):
            stamp = (index + 1) * 10**8
            writer.write_image(stamp, np.zeros((24, 32, 3), np.uint8))
            pose = np.eye(4)
            pose[0, 3] = 0.02
            writer.write_ground_truth(stamp, pose, "/mocap/camera")
    report = run("--bag", bag)
    assert report["evaluated"] == 0
    report = run("--bag", bag, "--ground-truth-topic", "/mocap/camera")
    assert (report["evaluated"], report["median_translation_m"]) == (3, pytest.approx(0.02))
    with pytest.raises(InputError, match=r"topic /mocap/head has no messages"):
        run("--bag", bag, "--ground-truth-topic", "/mocap/head")


def test_weights_are_part_of_the_configuration(run, recording: Path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        factory, "open_localizer", lambda *given: opened.append(given) or StandsStill()
    )
    (recording.parent / "parameters.yaml").write_text("retrieval: {keyframes: 3}")
    info = recording.parent / "camera_info.yaml"
    source = ("--seven-scenes", recording, "--camera-info", info)
    run(*source, "--config", recording.parent / "parameters.yaml", "--weights", "w.safetensors")
    run(*source)
    configurations = [arguments[1] for arguments in opened]
    assert [c.features.weights for c in configurations] == ["w.safetensors", ""]
    assert configurations[0].retrieval.keyframes == 3


def test_folders_need_intrinsics(run, recording: Path):
    with pytest.raises(InputError, match="--camera-info"):
        run("--images", recording)


def test_images_named_by_nanoseconds_keep_their_names(run, recording: Path):
    names = [f"{1403636579763555584 + 50_000_000 * index}.png" for index in range(3)]
    for index, name in enumerate(names):
        (recording / f"frame-{index:06d}.color.png").rename(recording / name)
    info = recording.parent / "camera_info.yaml"
    report = run("--images", recording, "--camera-info", info)
    assert report["localized"] == 3
    output = recording.parent / "report"
    lines = (output / "poses.tum").read_text().splitlines()[1:]
    assert lines[0::2] == [f"# {name}" for name in names]
    stamps = [line.split()[0].replace(".", "") for line in lines[1::2]]
    assert [f"{stamp}.png" for stamp in stamps] == names
    frames = json.loads((output / "frames.json").read_text())
    assert [frame["name"] for frame in frames] == names


def test_single_parameters_are_set(run, recording: Path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        factory, "open_localizer", lambda *given: opened.append(given) or StandsStill()
    )
    info = recording.parent / "camera_info.yaml"
    folder = ("--seven-scenes", recording, "--camera-info", info)
    run(*folder, "--set", "retrieval.keyframes=3", "--set", "nre.samples=9")
    configuration = opened[0][1]
    assert (configuration.retrieval.keyframes, configuration.nre.samples) == (3, 9)
    with pytest.raises(ConfigurationError, match=r"did you mean 'retrieval\.candidates'"):
        run(*folder, "--set", "retrieval.candidats=3")


def test_a_folder_that_cannot_be_written_is_told_before_the_work(run, recording, monkeypatch):
    (recording.parent / "report").write_text("a file")
    monkeypatch.setattr(factory, "open_localizer", lambda *given: pytest.fail("too late"))
    info = recording.parent / "camera_info.yaml"
    with pytest.raises(InputError, match="the report cannot be written"):
        run("--seven-scenes", recording, "--camera-info", info)
