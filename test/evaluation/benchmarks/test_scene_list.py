"""Scenes are split as their folder says, and measured so that outliers do not widen them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from photographed_room import write_scenes
from scipy.spatial.transform import Rotation
from shared_data import MULTIVIEW

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.scene_list import (
    Scene,
    chosen_scenes,
    load_scenes,
    multiview_scenes,
    open_scene,
    scene_extent,
    seen_twice,
)
from dense_reloc_ros.mapping.sources.colmap import read_colmap
from dense_reloc_ros.mapping.sources.known_points import KnownPoints


def read_scene(folder: Path) -> Scene:
    """The only scene of its name in the multiview folder around it."""
    entries = multiview_scenes(folder.parent, "test")
    return open_scene(chosen_scenes(entries, [folder.name])[0], folder.parent)


def test_scenes_are_those_of_the_split(tmp_path):
    table = [{"scene": s, "split": p} for s, p in (("a", "test"), ("b", "train"), ("c", "test"))]
    (tmp_path / "scenes.json").write_text(json.dumps(table))
    test = multiview_scenes(tmp_path, "test")
    assert [scene.name for scene in test] == ["a", "c"]
    assert [scene.name for scene in multiview_scenes(tmp_path, "train")] == ["b"]
    assert [scene.name for scene in chosen_scenes(test, ["c"])] == ["c"]
    assert chosen_scenes(test, None) == test
    with pytest.raises(ConfigurationError, match=r"no scene 'b' \(known: a, c\)"):
        chosen_scenes(test, ["a", "b"])


@pytest.mark.parametrize("content", ["{", "[1]", '[{"scene": "a"}]'])
def test_a_damaged_table_is_refused(content, tmp_path):
    (tmp_path / "scenes.json").write_text(content)
    with pytest.raises(InputError, match=r"scenes\.json: not a list of scenes"):
        multiview_scenes(tmp_path, "test")


def test_even_positions_are_the_map_and_odd_ones_the_queries(tmp_path):
    write_scenes(tmp_path, images=5)
    scene = read_scene(tmp_path / "room")
    assert [frame.name for frame in scene.source.frames] == ["00.png", "02.png", "04.png"]
    assert [frame.name for frame in scene.queries.frames] == ["01.png", "03.png"]
    assert set(scene.source.points.indices) == {"00.png", "02.png", "04.png"}
    _, all_points = read_colmap(tmp_path / "room/sparse", tmp_path / "room/images")
    for name, indices in scene.source.points.indices.items():
        others = {"00.png", "02.png", "04.png"} - {name}
        elsewhere = np.concatenate([all_points.indices[other] for other in others])
        assert 0 < len(indices) < len(all_points.indices[name])
        assert np.isin(indices, elsewhere).all()


def test_the_extent_of_a_photographed_scene_counts_as_a_metre(tmp_path):
    write_scenes(tmp_path, unit=1.0)
    write_scenes(tmp_path / "other", unit=100.0)
    metre = read_scene(tmp_path / "room").queries.metre
    assert read_scene(tmp_path / "other/room").queries.metre == pytest.approx(100 * metre, rel=1e-3)


def test_a_list_names_scenes_of_any_kind(tmp_path):
    write_scenes(tmp_path, images=5)
    (tmp_path / "list.yaml").write_text(
        "scenes:\n"
        "- name: half\n"
        "  map: {colmap: room/sparse, images: room/images}\n"
        "- name: whole\n"
        "  map: {colmap: room/sparse, images: room/images, every: 2}\n"
        "  queries: {colmap: room/sparse, images: room/images}\n"
        "  place: half\n"
        "- name: stretch\n"
        "  map: {colmap: room/sparse, images: room/images}\n"
        "  queries: {length: 2, parts: 2, part: 0}\n"
    )
    entries = load_scenes(tmp_path / "list.yaml")
    half, whole, stretch = (open_scene(entry, tmp_path) for entry in entries)
    assert [frame.name for frame in half.queries.frames] == ["01.png", "03.png"]
    assert [frame.name for frame in whole.source.frames] == ["00.png", "02.png", "04.png"]
    assert len(whole.queries.frames) == 5
    assert [frame.name for frame in stretch.source.frames] == ["02.png", "03.png"]
    assert [frame.name for frame in stretch.queries.frames] == ["00.png", "01.png", "04.png"]
    assert (half.place, whole.place, half.queries.metre) == ("half", "half", 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenes: []", "scenes"),
        ("scenes: [{name: a, map: {colmap: x}}]", "colmap with images"),
        ("scenes: [{name: a, map: {seven_scenes: x, camera_info: y}}]", "their own queries"),
        ("scenes: [{name: a, map: {bag: x}}]", "bag"),
    ],
)
def test_a_list_that_is_not_valid_is_refused(text, message, tmp_path):
    (tmp_path / "list.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_scenes(tmp_path / "list.yaml")


def test_too_few_images_are_refused(tmp_path):
    write_scenes(tmp_path, images=3)
    with pytest.raises(InputError, match="3 images are too few"):
        read_scene(tmp_path / "room")


def test_points_that_one_image_sees_are_left_out():
    indices = {"a": np.array([0, 1, 2]), "b": np.array([2, 3]), "c": np.array([1, 3])}
    pixels = {
        name: np.arange(2 * len(i), dtype=np.float32).reshape(-1, 2) for name, i in indices.items()
    }
    fair = seen_twice(KnownPoints(np.zeros((4, 3)), pixels, indices), ["a", "b"])
    assert fair.indices["a"].tolist() == [2]
    assert fair.pixels["a"].tolist() == [[4.0, 5.0]]
    assert fair.indices["b"].tolist() == [2]
    assert set(fair.indices) == {"a", "b"}


@pytest.fixture
def centres() -> np.ndarray:
    """Of cameras on a circle of diameter 4."""
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    return np.column_stack([2 * np.cos(angles), 2 * np.sin(angles), np.zeros(8)])


@pytest.fixture
def points() -> np.ndarray:
    """A filled ball; 90 % of it lie within a diameter of 6 * 0.9 ** (1 / 3)."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return 3 * directions * rng.uniform(size=(20_000, 1)) ** (1 / 3)


def test_the_extent_is_the_smaller_one_of_cameras_and_points(centres, points):
    assert scene_extent(centres, points) == pytest.approx(4.0)
    assert scene_extent(3 * centres, points) == pytest.approx(6 * 0.9 ** (1 / 3), rel=0.02)


def test_outliers_do_not_widen_the_extent(centres, points):
    far = np.vstack([points, np.full((100, 3), 1e4)])
    assert scene_extent(3 * centres, far) == pytest.approx(6 * 0.9 ** (1 / 3), rel=0.03)
    telephoto = np.vstack([centres, [0, 0, 40]])
    assert scene_extent(telephoto, points) < 6


def test_the_extent_has_the_unit_of_the_scene_and_no_direction(centres, points):
    rotation = Rotation.random(random_state=1).as_matrix()
    moved = [7 * values @ rotation.T + 5 for values in (centres, points)]
    assert scene_extent(*moved) == pytest.approx(7 * scene_extent(centres, points), rel=1e-2)


def test_real_scenes_are_split_as_their_notes_say():
    if not MULTIVIEW.is_dir():
        pytest.skip(f"no scenes here: {MULTIVIEW}")
    fox = read_scene(MULTIVIEW / "fox")
    assert (len(fox.source.frames), len(fox.queries.frames)) == (25, 25)
    used = np.unique(np.concatenate(list(fox.source.points.indices.values())))
    assert len(used) == 5692
