"""Renders rooms, and close-ups of what is in them, as scenes of `dense-reloc bench scenes`.

    python tools/render_close_ups.py close_ups --seeds 711 712
    dense-reloc bench scenes --scene-list close_ups/scenes.yaml --data close_ups

writes for each room a `map`, a walk in the layout of 7-Scenes, and for each of `--nearer` queries:
images from every fourth place of the walk, gone on along the optical axis until things are so many
times nearer, then moved aside and turned a little, in other light. No keyframe is as near.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from numpy.random import Generator
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.demonstration import CAMERA, DemonstrationPlace
from dense_reloc_ros.rendering.paths import mapping_motion
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping

EVERY = 4
"""Places of the walk from one query to the next."""
ASIDE = 0.1
"""Metres, at most, along either axis of the image."""
TURN_DEGREES = 10.0
"""At most, about each axis."""
NEAREST = 0.2
"""Metres of the median depth: nearer, there would be a wall and nothing else."""


def main() -> None:
    """Renders all scenes and writes their list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where a folder for each scene is made")
    parser.add_argument("--seeds", type=int, nargs="+", default=[711], help="which rooms")
    parser.add_argument("--nearer", type=float, nargs="+", default=[1.5, 2.0, 2.5, 3.0])
    parser.add_argument("--keyframes", type=int, default=40, help="of each room")
    arguments = parser.parse_args()
    scenes = []
    for seed in arguments.seeds:
        place = DemonstrationPlace.furnish(seed)
        walk = mapping_motion(place.room.walkway, arguments.keyframes, seed).T_map_camera
        room = arguments.folder / f"room_{seed}"
        shown = tqdm(walk, desc=f"{room.name}/map")
        write_mapping(room / "map", place.mapped, CAMERA, shown, seed)
        for nearer in arguments.nearer:
            rng = np.random.default_rng([seed, round(100 * nearer)])
            poses = [close_up(place.mapped, pose, nearer, rng) for pose in walk[::EVERY]]
            label = f"nearer_{nearer:g}"
            shown = tqdm([pose for pose in poses if pose is not None], desc=f"{room.name}/{label}")
            write_mapping(room / label, place.visited, CAMERA, shown, seed + 1)
            scenes.append(_entry(room.name, label))
    (arguments.folder / "scenes.yaml").write_text(yaml.safe_dump({"scenes": scenes}))


def close_up(
    raycaster: Raycaster, T_map_camera: FloatArray, nearer: float, rng: Generator
) -> FloatArray | None:
    """A pose (4, 4) from which what a camera has in its middle is `nearer` times as near.

    None where that would be within `NEAREST`.
    """
    depth = raycaster.render(CAMERA, T_map_camera).depth
    rows, columns = depth.shape
    distance = float(np.median(depth[rows // 3 : 2 * rows // 3, columns // 3 : 2 * columns // 3]))
    turn = Rotation.from_euler("yxz", rng.uniform(-TURN_DEGREES, TURN_DEGREES, 3), degrees=True)
    aside = rng.uniform(-ASIDE, ASIDE, 2)
    if distance / nearer < NEAREST:
        return None
    ahead = np.array([*aside, distance * (1 - 1 / nearer)])
    return T_map_camera @ rigid(turn.as_matrix(), ahead)


def _entry(room: str, label: str) -> dict[str, object]:
    def frames(part: str) -> dict[str, str]:
        folder = f"{room}/{part}"
        return {"seven_scenes": folder, "camera_info": f"{folder}/{CAMERA_INFO_FILE}"}

    return {
        "name": f"{room}_{label}",
        "place": room,
        "map": frames("map"),
        "queries": frames(label),
    }


if __name__ == "__main__":
    main()
