"""What `map build` says about what it cannot make a map of."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.wall_recording import build, error_line, write_camera_info
from PIL import Image
from scene.wall import PixelDescriber

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene import writer
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.validation import check_signature


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write_text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def truncate(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


def save(name: str, shape: tuple[int, ...], dtype: type) -> Callable[[Path], None]:
    return lambda folder: Image.fromarray(np.full(shape, 9, dtype)).save(folder / name)


SKEWED = "1 0.5 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1"
BAD_RECORDINGS = {
    "wrong intrinsics size": (
        lambda folder: write_camera_info(folder, 320),
        "frame-000000: an image of 160x120 does not fit camera intrinsics for 320x120 "
        "(4 of 4 frames are bad)",
    ),
    "missing intrinsics": (remove("camera.yaml"), "camera.yaml: No such file"),
    "half of the images": (
        lambda folder: [truncate(f"frame-00000{k}.color.png")(folder) for k in (1, 3)],
        "(2 of 4 frames are bad)",
    ),
    "half of the depth": (
        lambda folder: [remove(f"frame-00000{k}.depth.png")(folder) for k in (0, 2)],
        "frame-000000: its depth is missing, so points cannot be placed (2 of 4 frames are bad)",
    ),
}


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize("problem", BAD_RECORDINGS)
def test_bad_recordings_give_one_line_and_no_map(folder, capsys, problem):
    spoil, reason = BAD_RECORDINGS[problem]
    spoil(folder)
    assert build(folder) == 2
    assert reason in error_line(capsys.readouterr().err)
    assert [entry.name for entry in folder.parent.iterdir()] == ["recording"]


BAD_FRAMES = {
    "missing image": (remove("frame-000001.color.png"), "frame-000001.color.jpg: no such file"),
    "cut image": (truncate("frame-000001.color.png"), "frame-000001.color.png: not a readable"),
    "no image": (write_text("frame-000001.color.png", "x"), "frame-000001.color.png: not a"),
    "empty image": (write_text("frame-000001.color.png", ""), "frame-000001.color.png: not a"),
    "folder as image": (
        lambda folder: [
            remove("frame-000001.color.png")(folder),
            (folder / "frame-000001.color.png").mkdir(),
        ],
        "frame-000001.color.png: not a",
    ),
    "image of another size": (
        save("frame-000001.color.png", (60, 80, 3), np.uint8),
        "frame-000001: an image of 80x60 does not fit camera intrinsics for 160x120",
    ),
    "one pixel": (
        save("frame-000001.color.png", (1, 1, 3), np.uint8),
        "frame-000001: an image of 1x1 does not fit",
    ),
    "missing depth": (remove("frame-000001.depth.png"), "frame-000001: its depth is missing"),
    "cut depth": (truncate("frame-000001.depth.png"), "frame-000001.depth.png: not a readable"),
    "depth of another size": (
        save("frame-000001.depth.png", (60, 80), np.uint16),
        "frame-000001: depth of 80x60 does not fit images of 160x120",
    ),
    "depth of 8 bits": (save("frame-000001.depth.png", (120, 160), np.uint8), "one channel of 16"),
}


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize("problem", BAD_FRAMES)
def test_one_bad_image_or_depth_costs_its_frame_alone(folder, capsys, caplog, problem):
    spoil, reason = BAD_FRAMES[problem]
    spoil(folder)
    assert build(folder) == 0
    information = load_map(folder.parent / "map").information
    assert information.keyframe_names == ["frame-000000", "frame-000002", "frame-000003"]
    assert "1 of 4 frames are left out: " in caplog.text and reason in caplog.text
    assert information.left_out == {"image or depth that cannot be read": 1}
    capsys.readouterr()
    assert main(["map", "info", str(folder.parent / "map")]) == 0
    assert "left out      1 of 4: image or depth that cannot be read" in capsys.readouterr().out


@pytest.mark.usefixtures("pixel_describer")
def test_a_keyframe_without_any_depth_value_is_counted(folder):
    depth = Image.fromarray(np.zeros((120, 160), np.uint16))
    depth.save(folder / "frame-000001.depth.png")
    assert build(folder) == 0
    information = load_map(folder.parent / "map").information
    assert information.left_out == {"nothing that can become a point of the map": 1}


BAD_POSES = {
    "NaN": (write_text("frame-000001.pose.txt", SKEWED.replace("0.5", "nan")), "not finite"),
    "-inf": (write_text("frame-000001.pose.txt", SKEWED.replace("0.5", "-inf")), "not finite"),
    "not rigid": (write_text("frame-000001.pose.txt", SKEWED), "is not a rigid motion"),
    "empty": (write_text("frame-000001.pose.txt", ""), "not a pose"),
    "missing": (remove("frame-000001.pose.txt"), "they have no pose: frame-000001 is the first"),
}


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize("problem", BAD_POSES)
def test_one_bad_pose_costs_its_frame_alone(folder, caplog, problem):
    spoil, reason = BAD_POSES[problem]
    spoil(folder)
    assert build(folder) == 0
    names = load_map(folder.parent / "map").information.keyframe_names
    assert names == ["frame-000000", "frame-000002", "frame-000003"]
    assert reason in caplog.text and "frame-000001" in caplog.text
    assert "1 of 4" in caplog.text
    left_out = load_map(folder.parent / "map").information.left_out
    assert left_out == {"no pose that can be used": 1}


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pose: pose.write_text(SKEWED), r"is not a rigid motion"),
        (lambda pose: pose.unlink(), "its pose is unknown"),
    ],
)
def test_recordings_with_most_poses_bad_are_refused(folder, capsys, spoil, reason):
    for number in (1, 2):
        spoil(folder / f"frame-{number:06d}.pose.txt")
    assert build(folder) == 2
    assert reason in error_line(capsys.readouterr().err)


@pytest.mark.usefixtures("pixel_describer")
def test_a_failed_build_leaves_the_old_map(folder, capsys):
    assert build(folder) == 0
    before = load_map(folder.parent / "map", verify_content=True).information
    for number in (1, 2):
        (folder / f"frame-{number:06d}.color.png").write_text("x")
    assert build(folder) == 2
    assert load_map(folder.parent / "map", verify_content=True).information == before
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["map", "recording"]


@pytest.mark.usefixtures("pixel_describer")
def test_a_full_disk_gives_one_line_and_no_map(folder, capsys, monkeypatch):
    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half a map")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "save_file", full)
    assert build(folder) == 2
    assert "map: the map cannot be written (No space left on device)" in error_line(
        capsys.readouterr().err
    )
    assert [entry.name for entry in folder.parent.iterdir()] == ["recording"]


@pytest.mark.usefixtures("pixel_describer")
def test_an_interrupt_leaves_no_map(folder, capsys, monkeypatch):
    def interrupt(tensors: object, path: Path) -> None:
        path.write_bytes(b"half a map")
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "save_file", interrupt)
    assert build(folder) == 130
    assert [entry.name for entry in folder.parent.iterdir()] == ["recording"]


@pytest.mark.usefixtures("pixel_describer")
def test_an_empty_model_gives_one_line(tmp_path, capsys):
    for name in ("cameras", "images", "points3D"):
        (tmp_path / f"{name}.txt").write_text("# nothing\n")
    source = ["--colmap", str(tmp_path), "--images", str(tmp_path)]
    assert main(["map", "build", *source, "--output", str(tmp_path / "map")]) == 2
    assert "the model is empty" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "map").exists()


def test_folders_that_are_no_map_are_refused_before_any_work(folder, capsys):
    (folder.parent / "map").mkdir()
    (folder.parent / "map/notes.txt").write_text("precious")
    assert build(folder) == 2
    assert "is not a map" in error_line(capsys.readouterr().err)
    assert (folder.parent / "map/notes.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--method", "magic"], "unknown method 'magic'"),
        (["--network", "magic"], "unknown network 'magic'"),
        (["--network", "s2dnet"], "network 's2dnet' has no weights of its own"),
        (["--network", "nre", "--weights", "gone"], "gone: No such file or directory"),
        (["--weights", "gone"], "gone: No such file or directory"),
        (["--network", "effnet_lite0", "--weights", "some"], "'effnet_lite0' takes no weights"),
        (["--method", "sift_pnp", "--weights", "some"], "'sift_pnp' takes no weights"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--every", "0"], "keyframes cannot be taken every 0 frames"),
        (["--keyframe-distance", "-1"], "-1.0 m"),
        (["--pose-topic", "/pose"], "--pose-topic does not go with --seven-scenes"),
    ],
)
def test_options_that_make_no_sense_are_named(folder, capsys, options, reason):
    assert build(folder, *options) == 2
    assert reason in error_line(capsys.readouterr().err)
    assert not (folder.parent / "map").exists()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (["--seven-scenes", "x"], "--seven-scenes needs --camera-info"),
        (["--colmap", "x"], "--colmap needs --images"),
        (["--bag", "x"], "--bag needs --pose-topic"),
        (["--bag", "x", "--pose-topic", "/p"], "x: no such bag"),
        (["--colmap", "x", "--images", "x"], "x: no such folder"),
    ],
)
def test_incomplete_sources_are_named(tmp_path, capsys, monkeypatch, source, reason):
    monkeypatch.chdir(tmp_path)
    assert main(["map", "build", *source, "--output", "map"]) == 2
    assert reason in error_line(capsys.readouterr().err)


@pytest.mark.usefixtures("pixel_describer")
def test_maps_of_other_features_do_not_fit(folder):
    assert build(folder) == 0
    scene_map = load_map(folder.parent / "map")
    other = PixelDescriber().signature.model_copy(update={"network": "effnet_lite0"})
    with pytest.raises(MapError, match="its features are those of 'pixels', not of 'effnet_lite0'"):
        check_signature(scene_map, other)
