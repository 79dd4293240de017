"""A small map, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene.small_map import make_map

from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map


@pytest.fixture
def scene_map() -> SceneMap:
    return make_map()


@pytest.fixture
def map_path(tmp_path: Path, scene_map: SceneMap) -> Path:
    path = tmp_path / "map"
    write_map(path, scene_map)
    return path
