"""Folders of maps: what counts as a map, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.map_folders import find_maps
from dense_reloc_ros.scene.writer import write_map


def test_maps_of_floors_and_of_buildings_with_floors(tmp_path: Path) -> None:
    for name in ("hall", "tower/floor 2", "tower/floor 1", "hall/images/thumbnails"):
        write_map(tmp_path / name, make_map())
    (tmp_path / "ruin").mkdir()
    (tmp_path / "ruin" / "tensors.safetensors").touch()
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").touch()
    write_map(tmp_path / ".hall.17.partial", make_map())
    (tmp_path / "tower" / "round").symlink_to(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in find_maps(tmp_path)] == [
        "hall",
        "ruin",
        "tower/floor 1",
        "tower/floor 2",
    ]
    assert find_maps(tmp_path / "hall") == [tmp_path / "hall"]
    assert find_maps(Path(f"file://{tmp_path}/hall")) == [tmp_path / "hall"]


def test_no_folder_and_no_maps(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="nothing: the folder of maps cannot be read"):
        find_maps(tmp_path / "nothing")
    with pytest.raises(MapError, match="no map in this folder"):
        find_maps(tmp_path)
