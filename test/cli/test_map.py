"""The `map` command as users type it."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scene.small_map import make_map
from scene.wall import CAMERA, PixelDescriber, wall_frame

from dense_reloc_ros import mapping
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import DEPTH_TOPIC, GROUND_TRUTH_TOPIC
from dense_reloc_ros.cli.main import main
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene import writer
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import ConfidenceCurve, MapCalibration
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.scene.writer import write_map

KITCHEN = Path(__file__).parents[2] / "../shared/data/kitchen"
FOX = Path(__file__).parents[2] / "../shared/data/multiview/fox"


def frames() -> list[SourceFrame]:
    return [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]


@pytest.fixture
def map_path(tmp_path: Path) -> Path:
    write_map(tmp_path / "map", make_map())
    return tmp_path / "map"


def test_info_as_json(map_path, capsys):
    assert main(["map", "info", str(map_path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    size = sum(file.stat().st_size for file in map_path.iterdir()) / 1e6
    observations = int(make_map().observation_offsets[-1])
    assert content["keyframes"] == 3
    assert (content["points"], content["observations"]) == (20, observations)
    assert content["observations_per_point"] == observations / 20
    assert content["size_mb"] == pytest.approx(size)
    assert content["size_mb_per_keyframe"] == pytest.approx(size / 3)
    assert content["images_mb"] == 0
    assert content["signature"]["levels"]["fine"] == {"stride": 4, "channels": 6}
    low, high = make_map().points.aminmax(dim=0)
    np.testing.assert_allclose(content["bounding_box"], [low, high])


def test_info_for_people(tmp_path, capsys):
    image = np.zeros((48, 64, 3), np.uint8)
    information = write_map(tmp_path / "map", make_map(), lambda keyframe: image)
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:14].strip(): line[14:] for line in lines}
    assert information.revision in rows["revision"]
    assert rows["keyframes"] == "3"
    assert rows["levels"] == "fine (stride 4, 6 channels), coarse (stride 16, 8 channels)"
    assert rows["temperatures"] == "fine 20"
    assert rows["threshold"] == "not fitted"
    assert rows["confidence"] == "not fitted"
    assert "MB of images" in rows["size"]


def test_info_tells_how_sure_poses_of_a_score_are(tmp_path, capsys):
    scene_map, curve = make_map(), ConfidenceCurve(slope=np.log(81), offset=-np.log(81) / 2)
    calibration = MapCalibration(confidence=curve)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    write_map(tmp_path / "map", replace(scene_map, information=information))
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    expected = "confidence    25% at score 0.25, 50% at score 0.5, 75% at score 0.75"
    assert expected in capsys.readouterr().out.splitlines()


def test_info_notices_a_changed_descriptor(map_path, capsys):
    file = map_path / "tensors.safetensors"
    content = bytearray(file.read_bytes())
    begin = content.index(make_map().descriptors["fine"].numpy().tobytes()[:16])
    content[begin] ^= 1
    file.write_bytes(content)
    assert main(["map", "info", str(map_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dense-reloc: error: {file}: altered: its revision is ")
    assert err.count("\n") == 1


def test_info_on_a_path_that_is_no_map(tmp_path, capsys):
    assert main(["map", "info", str(tmp_path)]) == 2
    error = f"dense-reloc: error: {tmp_path}: not a map, map.json is missing\n"
    assert capsys.readouterr().err == error


@pytest.fixture
def pixel_describer(monkeypatch) -> None:
    """Builds maps in no time, without a network."""
    monkeypatch.setattr(mapping, "describer_for", lambda *arguments: PixelDescriber())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of the wall in the layout of 7-Scenes with its intrinsics."""
    folder = tmp_path / "recording"
    folder.mkdir()
    for frame in frames():
        Image.fromarray(frame.load_image()).save(folder / f"{frame.name}.color.png")
        millimetres = np.rint(frame.load_depth() * 1000).astype(np.uint16)
        Image.fromarray(millimetres).save(folder / f"{frame.name}.depth.png")
        np.savetxt(folder / f"{frame.name}.pose.txt", frame.T_map_camera)
    write_camera_info(folder, CAMERA.width)
    return folder


def write_camera_info(folder: Path, width: int) -> None:
    content = {
        "image_width": width,
        "image_height": CAMERA.height,
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
    }
    (folder / "camera.yaml").write_text(yaml.safe_dump(content))


def build(folder: Path, *options: str) -> int:
    source = ["--seven-scenes", str(folder), "--camera-info", str(folder / "camera.yaml")]
    return main(["map", "build", *source, "--output", str(folder.parent / "map"), *options])


def error_line(err: str) -> str:
    """The message of the one error line, which is the last line on stderr."""
    lines = err.replace("\r", "\n").splitlines()
    prefix = "dense-reloc: error: "
    assert [line.startswith(prefix) for line in lines].count(True) == 1
    assert lines[-1].startswith(prefix)
    assert "Traceback" not in err
    return lines[-1].removeprefix(prefix)


def test_build_from_a_folder_with_the_default_network(folder, capsys):
    assert build(folder, "--device", "cpu", "--store-images", "--frame-id", "hall") == 0
    scene_map = load_map(folder.parent / "map", verify_content=True)
    out, err = capsys.readouterr()
    information = scene_map.information
    assert f"4 keyframes, {information.point_count} points" in out
    assert information.revision in out
    assert "describing keyframes" in err
    assert "placing points" in err
    assert set(information.calibration.temperatures) == set(information.signature.levels)
    assert information.frame_id == "hall"
    assert str(folder) in information.source
    assert (scene_map.points[:, 2] - 2.0).abs().median() < 0.02
    for descriptors in scene_map.descriptors.values():
        norms = torch.linalg.vector_norm(descriptors.float(), dim=1)
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
    "missing image": (remove("frame-000002.color.png"), "frame-000002.color.jpg: missing"),
    "cut image": (truncate("frame-000002.color.png"), "frame-000002.color.png: not a readable"),
    "no image": (write_text("frame-000002.color.png", "x"), "frame-000002.color.png: not a"),
    "wrong intrinsics size": (
        lambda folder: write_camera_info(folder, 320),
        "frame-000000: an image of 160x120 does not fit camera intrinsics for 320x120",
    ),
    "missing intrinsics": (remove("camera.yaml"), "camera.yaml: No such file"),
    "NaN pose": (
        write_text("frame-000001.pose.txt", SKEWED.replace("0.5", "nan")),
        "frame-000001.pose.txt: not a pose: the pose has values that are not finite",
    ),
    "non-rigid pose": (write_text("frame-000001.pose.txt", SKEWED), "is not a rigid motion"),
    "missing pose": (remove("frame-000001.pose.txt"), "frame-000001: its pose is unknown"),
    "missing depth": (remove("frame-000001.depth.png"), "frame-000001: its depth is missing"),
    "cut depth": (truncate("frame-000003.depth.png"), "frame-000003.depth.png: not a readable"),
    "depth of another size": (
        save("frame-000003.depth.png", (60, 80), np.uint16),
        "frame-000003: depth of 80x60 does not fit images of 160x120",
    ),
    "depth of 8 bits": (save("frame-000003.depth.png", (120, 160), np.uint8), "one channel of 16"),
}


@pytest.mark.usefixtures("pixel_describer")
@pytest.mark.parametrize("problem", BAD_RECORDINGS)
def test_bad_recordings_give_one_line_and_no_map(folder, capsys, problem):
    spoil, reason = BAD_RECORDINGS[problem]
    spoil(folder)
    assert build(folder) == 2
    assert reason in error_line(capsys.readouterr().err)
    assert [entry.name for entry in folder.parent.iterdir()] == ["recording"]


@pytest.mark.usefixtures("pixel_describer")
def test_a_failed_build_leaves_the_old_map(folder, capsys):
    assert build(folder) == 0
    before = load_map(folder.parent / "map", verify_content=True).information
    (folder / "frame-000002.color.png").write_text("x")
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
