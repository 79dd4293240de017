"""Renders places that are easily taken for another, as scenes of `dense-reloc bench scenes`.

    python tools/render_doubles.py doubles
    dense-reloc bench scenes --scene-list doubles/scenes.yaml --data doubles
    dense-reloc bench scenes --scene-list doubles/scenes.yaml --data doubles --cross

writes a furnished room, doubles of it with the same furniture between other walls, a corridor of
equal doors and the list of these scenes, each with `map` and `query` in the layout of 7-Scenes. In
the corridor no image tells which door it shows; with --cross any pose in a double is wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from tqdm import tqdm

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.rendering.corridor import DOORS, SECTION, corridor_of_doors, facing_doors
from dense_reloc_ros.rendering.demonstration import CAMERA
from dense_reloc_ros.rendering.doubles import with_other_walls
from dense_reloc_ros.rendering.paths import mapping_motion, query_motion
from dense_reloc_ros.rendering.random_room import random_room, relit
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping
from dense_reloc_ros.rendering.room import Room

APART = 6
"""Frames of the video from one query to the next."""


def main() -> None:
    """Renders all scenes and writes their list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where a folder for each scene is made")
    parser.add_argument("--seed", type=int, default=701, help="which room and corridor")
    parser.add_argument("--doubles", type=int, default=1, help="of the room")
    parser.add_argument("--keyframes", type=int, default=40, help="of each room")
    parser.add_argument("--queries", type=int, default=30, help="of each scene")
    parser.add_argument("--width", type=int, default=CAMERA.width, help="of the images, in pixels")
    arguments = parser.parse_args()
    seed, queries = arguments.seed, arguments.queries
    camera = CAMERA.scaled(arguments.width, arguments.width * CAMERA.height // CAMERA.width)

    def write(name: str, room: Room, walk: FloatArray, visits: FloatArray) -> None:
        for part, shown, poses in (("map", room, walk), ("query", relit(room, seed), visits)):
            label = tqdm(poses, desc=f"{name}/{part}")
            write_mapping(arguments.folder / name / part, Raycaster(shown), camera, label, seed)

    room = random_room(seed)
    walk = mapping_motion(room.walkway, arguments.keyframes, seed).T_map_camera
    visits = query_motion(room.walkway, APART * queries, seed).T_map_camera[::APART]
    rooms = {"room": room}
    for number in range(1, arguments.doubles + 1):
        rooms[f"double_{number}"] = with_other_walls(room, seed + number)
    for name, one in rooms.items():
        write(name, one, walk, visits)
    end = DOORS * SECTION / 2
    along = facing_doors(np.arange(-end + 0.6, end - 0.59, 0.3), seed)
    before_doors = facing_doors(np.linspace(-end + 2, end - 2, queries), seed + 1)
    write("corridor", corridor_of_doors(seed), along, before_doors)
    scenes = [_entry(name) for name in (*rooms, "corridor")]
    (arguments.folder / "scenes.yaml").write_text(yaml.safe_dump({"scenes": scenes}))


def _entry(name: str) -> dict[str, object]:
    def frames(part: str) -> dict[str, str]:
        folder = f"{name}/{part}"
        return {"seven_scenes": folder, "camera_info": f"{folder}/{CAMERA_INFO_FILE}"}

    return {"name": name, "map": frames("map"), "queries": frames("query")}


if __name__ == "__main__":
    main()
