"""Coordinate maps in the folder of a map: whole, of this map, and where its keyframes see them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.layout import coordinate_path, image_path
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map


def coordinates_of(scene_map: SceneMap, depth: float = 2.0) -> torch.Tensor:
    """Planes at a depth in front of each keyframe (images of 64 x 48), cells of 8 x 8 pixels."""
    maps = []
    for camera, pose in zip(scene_map.cameras, scene_map.keyframe_poses.numpy(), strict=True):
        columns, rows = np.meshgrid(8 * np.arange(8) + 3.5, 8 * np.arange(6) + 3.5)
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
        local = depth * pixels @ np.linalg.inv(camera.matrix).T
        maps.append(local @ pose[:3, :3].T + pose[:3, 3])
    coordinates = torch.from_numpy(np.stack(maps).astype(np.float32))
    coordinates[1, 2, 3] = torch.nan
    return coordinates


def with_grid(scene_map: SceneMap, depth: float = 2.0) -> SceneMap:
    return replace(scene_map, coordinates=coordinates_of(scene_map, depth))


def black(keyframe: int) -> np.ndarray:
    return np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A map with coordinates and images."""
    write_map(tmp_path / "map", with_grid(make_map()), black)
    return tmp_path / "map"


def change(path: Path, changed: Callable[[torch.Tensor], torch.Tensor]) -> None:
    file = coordinate_path(path)
    revision = load_map(path).information.revision
    coordinates = changed(load_file(file)["coordinates"].clone())
    save_file({"coordinates": coordinates.contiguous()}, file, {"revision": revision})


def refusal(path: Path) -> str:
    with pytest.raises(MapError) as caught:
        load_map(path)
    message = str(caught.value)
    assert message.startswith(f"{coordinate_path(path)}: ")
    assert "\n" not in message
    return message


def test_what_is_written_is_what_is_read(path):
    read, expected = load_map(path).coordinates, coordinates_of(make_map())
    assert read.dtype == torch.float32
    torch.testing.assert_close(read, expected, atol=0, rtol=0, equal_nan=True)


def test_maps_without_coordinates_or_images_have_none(tmp_path):
    write_map(tmp_path / "map", make_map())
    read = load_map(tmp_path / "map")
    assert read.coordinates is None
    assert read.images is None


def test_coordinates_far_from_the_origin_are_kept(tmp_path):
    """As in maps in projected geographic coordinates, where float32 rounds to centimetres."""
    scene_map = make_map()
    scene_map.keyframe_poses[:, :3, 3] += 300_000.0
    write_map(tmp_path / "map", with_grid(scene_map))
    assert load_map(tmp_path / "map").coordinates.shape == (3, 6, 8, 3)


def moved(keyframe: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(coordinates: torch.Tensor) -> torch.Tensor:
        coordinates[keyframe, 4, 4] += torch.tensor([0.4, -0.3, 0.2])
        return coordinates

    return change


def behind(coordinates: torch.Tensor) -> torch.Tensor:
    return coordinates_of(make_map(), depth=-2.0)


def half_unknown(coordinates: torch.Tensor) -> torch.Tensor:
    coordinates[0, 0, 0, 1] = torch.nan
    return coordinates


def infinite(coordinates: torch.Tensor) -> torch.Tensor:
    coordinates[0, 0, 0, 1] = torch.inf
    return coordinates


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (moved(2), "'coordinates' has points of frame-000002 that it does not see there"),
        (behind, "has points of frame-000000 that it does not see there"),
        (half_unknown, "'coordinates' has values that are not finite"),
        (infinite, "'coordinates' has values that are not finite"),
        (lambda c: c[:2], "it has 2 coordinate maps for 3 keyframes"),
        (lambda c: c.half(), "'coordinates' is (3, 6, 8, 3) torch.float16"),
        (lambda c: c[..., :2], "'coordinates' is (3, 6, 8, 2) torch.float32"),
        (lambda c: c[:, :0], "'coordinates' is (3, 0, 8, 3)"),
        (lambda c: c.flip(0), "has points of frame-000000 that it does not see there"),
    ],
)
def test_altered_coordinates_are_refused(path, changed, reason):
    change(path, changed)
    assert reason in refusal(path)


def test_damaged_and_foreign_files_are_named(path, tmp_path):
    file = coordinate_path(path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    assert "truncated or altered" in refusal(path)
    save_file({"depth": torch.zeros(1)}, file)
    assert "it has the tensors ['depth'], not 'coordinates'" in refusal(path)
    other = write_map(tmp_path / "other", with_grid(make_map(seed=1)))
    file.write_bytes(coordinate_path(tmp_path / "other").read_bytes())
    assert f"it belongs to revision {other.revision} of a map" in refusal(path)
    file.unlink()
    assert "no such file" in refusal(path)


def test_wrong_coordinates_are_not_written(tmp_path):
    scene_map = make_map()
    wrong = replace(scene_map, coordinates=behind(coordinates_of(scene_map)))
    with pytest.raises(MapError, match="does not see there"):
        write_map(tmp_path / "map", wrong)
    assert not (tmp_path / "map").exists()


def test_images_are_read_when_asked_for(path):
    image_path(path, 2).write_bytes(b"no image")
    image_path(path, 0).unlink()
    images = load_map(path).images
    assert images(1).shape == (48, 64, 3)
    assert images(1).max() < 3
    with pytest.raises(MapError, match=r"000002\.jpg: not a readable image"):
        images(2)
    with pytest.raises(MapError, match=r"000000\.jpg: no such file"):
        images(0)


def test_images_of_an_open_map_are_its_own_whatever_becomes_of_the_folder(path):
    images = load_map(path).images
    write_map(path, with_grid(make_map(seed=1)), lambda keyframe: np.full((48, 64, 3), 200, "u1"))
    assert images(1).max() < 3
    assert load_map(path).images(1).min() > 190


def test_images_of_another_size_are_refused(tmp_path):
    write_map(tmp_path / "map", make_map(), lambda keyframe: np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(MapError, match=r"000001\.jpg: an image of 32x24 does not fit"):
        load_map(tmp_path / "map").images(1)


@settings(
    max_examples=int(os.environ.get("DENSE_RELOC_FUZZ", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(
        st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.05)),
        st.binary(min_size=1, max_size=8),
        max_size=4,
    ),
    share=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_altered_coordinates_are_sound_or_refused_with_one_line(path, changes, share):
    file = coordinate_path(path)
    original = file.read_bytes()
    content = bytearray(original)
    for place, value in changes.items():
        begin = int(place * len(content))
        content[begin : begin + len(value)] = value
    file.write_bytes(content[: int(share * len(content))])
    try:
        coordinates = load_map(path).coordinates
        assert coordinates.shape == (3, 6, 8, 3)
        assert not coordinates.isinf().any()
    except MapError as error:
        assert str(error).startswith(f"{file}: ")
        assert "\n" not in str(error)
    finally:
        file.write_bytes(original)
