"""The points of a map as a PLY file, which MeshLab, CloudCompare, Open3D and Blender open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.colours import point_colours
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.whole_file import write_whole

VERTEX = np.dtype(
    [
        ("x", "<f8"),
        ("y", "<f8"),
        ("z", "<f8"),
        ("red", "u1"),
        ("green", "u1"),
        ("blue", "u1"),
        ("views", "<i4"),
    ]
)
TYPE_NAMES = {"<f8": "double", "|u1": "uchar", "<i4": "int"}


def write_ply(path: Path, scene_map: SceneMap) -> int:
    """Writes the points of a map, binary, and says how many there are.

    Each has its position in the map frame in metres, its colour (see `point_colours`) and how many
    keyframes see it.

    Raises:
        MapError: a file that cannot be written, or an image of the map that cannot be read.
    """
    vertices = np.zeros(len(scene_map.points), dtype=VERTEX)
    positions = scene_map.points.double().numpy() + scene_map.origin
    for axis, values in zip("xyz", positions.T, strict=True):
        vertices[axis] = values
    colours = point_colours(scene_map)
    for channel, values in zip(("red", "green", "blue"), colours.T, strict=True):
        vertices[channel] = values
    seen = scene_map.observation_points.numpy()
    vertices["views"] = np.bincount(seen, minlength=len(vertices))
    properties = [f"property {TYPE_NAMES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [*properties, "end_header"]
    try:
        write_whole(path, "\n".join(header).encode("ascii") + b"\n" + vertices.tobytes())
    except OSError as error:
        raise MapError(f"{path}: cannot be written ({error.strerror})") from None
    return len(vertices)
