"""PLY files, parsed by hand as the format has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.ply import write_ply


def parse(path: Path) -> tuple[list[str], np.ndarray]:
    """The lines of the header, and the vertices as it describes them."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    kinds = {"double": "<f8", "uchar": "u1", "int": "<i4"}
    fields = [line.split()[1:] for line in lines if line.startswith("property")]
    dtype = np.dtype([(name, kinds[kind]) for kind, name in fields])
    return lines, np.frombuffer(body, dtype)


def test_points_have_their_positions_and_views(tmp_path):
    scene_map = make_map()
    assert write_ply(tmp_path / "map.ply", scene_map) == 20
    lines, vertices = parse(tmp_path / "map.ply")
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 20"]
    positions = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_array_equal(positions, scene_map.points.double().numpy())
    counts = [(scene_map.observation_points == point).sum() for point in range(20)]
    assert vertices["views"].tolist() == [int(count) for count in counts]


def test_positions_are_those_in_the_map_frame(tmp_path):
    near = make_map()
    information = near.information.model_copy(update={"origin": (500_000.0, 4_500_000.0, 100.0)})
    write_ply(tmp_path / "map.ply", replace(near, information=information))
    _, vertices = parse(tmp_path / "map.ply")
    positions = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    expected = near.points.double().numpy() + np.array(information.origin)
    np.testing.assert_array_equal(positions, expected)


def test_points_have_the_mean_colour_of_where_they_are_seen(tmp_path):
    scene_map = make_map()
    shades = [10, 20, 90]
    scene_map = replace(
        scene_map, images=lambda keyframe: np.full((48, 64, 3), shades[keyframe], np.uint8)
    )
    write_ply(tmp_path / "map.ply", scene_map)
    _, vertices = parse(tmp_path / "map.ply")
    for point in range(20):
        keyframes = torch.bucketize(
            torch.nonzero(scene_map.observation_points == point).ravel(),
            scene_map.observation_offsets[1:],
            right=True,
        )
        expected = np.mean([shades[k] for k in keyframes.tolist()]) if len(keyframes) else 160
        assert vertices["red"][point] == pytest.approx(expected, abs=0.51)


def test_files_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(MapError, match=r"absent/map\.ply: cannot be written"):
        write_ply(tmp_path / "absent" / "map.ply", make_map())
