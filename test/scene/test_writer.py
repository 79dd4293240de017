"""Writing is all or nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dense_reloc_ros.errors import InputError, MapError
from dense_reloc_ros.scene.layout import image_path
from dense_reloc_ros.scene.map_target import check_target
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too, with its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def keyframe_image(keyframe: int) -> np.ndarray:
    return np.full((48, 64, 3), 10 * keyframe, np.uint8)


def test_what_is_written_is_what_is_read(tmp_path, scene_map):
    information = write_map(tmp_path / "map", scene_map)
    read = load_map(tmp_path / "map")
    assert read.information == information
    assert information.model_copy(update={"revision": ""}) == scene_map.information
    assert read.cameras == scene_map.cameras
    for name in ("keyframe_poses", "points", "observation_points", "observation_pixels"):
        assert torch.equal(getattr(read, name), getattr(scene_map, name))
    for name in ("descriptors", "retrieval"):
        expected = getattr(scene_map, name)
        assert getattr(read, name).keys() == expected.keys()
        assert all(torch.equal(getattr(read, name)[key][:], expected[key]) for key in expected)


def test_revision_is_that_of_the_tensor_file(tmp_path, scene_map):
    revision = write_map(tmp_path / "map", scene_map).revision
    content = (tmp_path / "map/tensors.safetensors").read_bytes()
    assert revision == hashlib.sha256(content).hexdigest()[:16]


def test_images_are_stored_by_keyframe(tmp_path, scene_map):
    write_map(tmp_path / "map", scene_map, keyframe_image)
    stored = np.asarray(Image.open(image_path(tmp_path / "map", 2)))
    assert np.abs(stored.astype(int) - 20).max() <= 2
    assert len(list((tmp_path / "map/images").iterdir())) == 3


def test_parents_are_made_and_permissions_are_the_usual_ones(tmp_path, scene_map):
    path = tmp_path / "a/b/map"
    write_map(path, scene_map)
    usual = tmp_path / "usual"
    usual.mkdir()
    (usual / "file").write_text("")
    assert mode(path) == mode(usual)
    assert {mode(file) for file in path.iterdir()} == {mode(usual / "file")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_older_map_is_replaced_whole(tmp_path, scene_map):
    path = tmp_path / "map"
    write_map(path, scene_map, keyframe_image)
    write_map(path, replace(scene_map, points=scene_map.points.clone()))
    assert sorted(entry.name for entry in path.iterdir()) == ["map.json", "tensors.safetensors"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["map"]


def test_a_link_to_a_map_stays_a_link(tmp_path, scene_map):
    (tmp_path / "disk").mkdir()
    (tmp_path / "map").symlink_to(tmp_path / "disk")
    write_map(tmp_path / "map", scene_map)
    assert (tmp_path / "map").is_symlink()
    assert (tmp_path / "disk/map.json").is_file()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["notes.txt"], "is not a map"),
        (["map.json", "tensors.safetensors", "notes.txt"], "'notes.txt' is not part of it"),
    ],
)
def test_folders_with_other_files_are_left_alone(tmp_path, scene_map, files, reason):
    (tmp_path / "map").mkdir()
    for name in files:
        (tmp_path / "map" / name).write_text("precious")
    before = snapshot(tmp_path)
    with pytest.raises(MapError, match=reason):
        write_map(tmp_path / "map", scene_map)
    assert snapshot(tmp_path) == before


def test_a_file_in_the_way_is_left_alone(tmp_path, scene_map):
    (tmp_path / "map").write_text("precious")
    with pytest.raises(MapError, match="cannot be written here"):
        write_map(tmp_path / "map", scene_map)
    with pytest.raises(MapError, match="cannot be written"):
        write_map(tmp_path / "map/inside", scene_map)
    assert snapshot(tmp_path) == {"map": b"precious"}


def test_an_empty_folder_may_become_a_map(tmp_path, scene_map):
    check_target(tmp_path)
    (tmp_path / "map").mkdir()
    write_map(tmp_path / "map", scene_map)
    load_map(tmp_path / "map")


@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), MapError),
        (InputError("frame-000001: unreadable"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_failures_leave_everything_as_it_was(tmp_path, map_path, error, raised, there_before):
    scene_map = load_map(map_path)
    target = map_path if there_before else tmp_path / "new"
    before = snapshot(tmp_path)

    def failing(keyframe: int) -> np.ndarray:
        if keyframe == 1:
            raise error
        return keyframe_image(keyframe)

    with pytest.raises(raised) as caught:
        write_map(target, scene_map, failing)
    assert snapshot(tmp_path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["map"]
    if raised is MapError:
        message = f"{target}: the map cannot be written (No space left on device)"
        assert str(caught.value) == message


def test_a_disk_that_really_refuses_leaves_nothing(tmp_path):
    """The operating system itself cuts the tensor file short, as a full disk does."""
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from scene.small_map import make_map
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.writer import write_map
scene_map = make_map(points=5000)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_map(Path({str(tmp_path / "map")!r}), scene_map)
except MapError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "map: the map cannot be written" in done.stderr
    assert "File too large" in done.stderr
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_map_is_never_written(tmp_path, scene_map):
    points = scene_map.points.clone()
    points[0, 0] = torch.nan
    with pytest.raises(MapError, match="'points' has values that are not finite"):
        write_map(tmp_path / "map", replace(scene_map, points=points))
    assert list(tmp_path.iterdir()) == []


def test_images_are_not_those_of_a_map_that_took_the_place_of_the_open_one(tmp_path, scene_map):
    """Methods that need images while they run have a map with coordinates, or say so."""
    path = tmp_path / "map"
    write_map(path, scene_map, lambda keyframe: np.full((48, 64, 3), 10, np.uint8))
    images = load_map(path).images
    assert images(0).max() < 15
    write_map(path, scene_map, lambda keyframe: np.full((48, 64, 3), 200, np.uint8))
    with pytest.raises(MapError, match="was replaced while the map was open; load the map again"):
        images(0)
