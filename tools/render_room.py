"""Renders a furnished room to try settings on: keyframes of it, and a video in other light.

    python tools/render_room.py 601 rooms/601

writes `map` and `query` in the layout of 7-Scenes, the latter with 15 images a second, each with
its `camera_info.yaml`. Such rooms are what `dense-reloc bench video` was tuned on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from dense_reloc_ros.mapping.sources.seven_scenes import FRAMES_PER_SECOND
from dense_reloc_ros.rendering.demonstration import CAMERA, DemonstrationPlace
from dense_reloc_ros.rendering.paths import VIDEO_RATE, mapping_motion, query_motion
from dense_reloc_ros.rendering.recording import write_mapping


def main() -> None:
    """Renders one room."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seed", type=int, help="which room and which walks")
    parser.add_argument("folder", type=Path, help="where map/ and query/ are made")
    parser.add_argument("--keyframes", type=int, default=40)
    parser.add_argument("--frames", type=int, default=90, help="length of the video")
    parser.add_argument("--width", type=int, default=CAMERA.width, help="of the images, in pixels")
    arguments = parser.parse_args()
    camera = CAMERA.scaled(arguments.width, arguments.width * CAMERA.height // CAMERA.width)
    seed, place = arguments.seed, DemonstrationPlace.furnish(arguments.seed)
    walk = mapping_motion(place.room.walkway, arguments.keyframes, seed).T_map_camera
    write_mapping(arguments.folder / "map", place.mapped, camera, tqdm(walk, desc="map"), seed)
    video = query_motion(place.room.walkway, arguments.frames, seed).T_map_camera
    step = round(FRAMES_PER_SECOND / VIDEO_RATE)
    shown = tqdm(video, desc="query")
    write_mapping(arguments.folder / "query", place.visited, camera, shown, seed + 1, step)


if __name__ == "__main__":
    main()
