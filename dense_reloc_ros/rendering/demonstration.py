"""What `dense-reloc demo` reads and writes: recordings of a rendered room, and a picture."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.bags.topics import GROUND_TRUTH_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.geometry.se3 import inverse, transformed
from dense_reloc_ros.geometry.trajectory import read_tum
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.rendering.overview import overview_figure
from dense_reloc_ros.rendering.paths import mapping_motion, query_motion
from dense_reloc_ros.rendering.random_room import random_room, relit
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping, write_query_bag
from dense_reloc_ros.rendering.room import Room
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
KEYFRAMES = 60
ODOMETRY_DRIFT = 0.02
DRAWN_POINTS = 400
VISIBLE_WITHIN = 0.05
"""Metres that a map point may lie from the surface behind its pixel to count as visible."""

Progress = Callable[[FloatArray, str], Iterable[FloatArray]]
"""Passes poses (N, 4, 4) on under a label and shows how far it is."""


class DemonstrationFolder:
    """Where everything lies in the folder of a demonstration.

    Attributes:
        mapping: keyframes of the mapping walk, in the layout of 7-Scenes.
        camera_info: intrinsics of the keyframes.
        map: what is built of them.
        bag: the query video.
        report: how well it was localized.
        picture: the outcome at a glance.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._marker = path, path / ".dense-reloc-demo"
        self.mapping = path / "mapping"
        self.camera_info = self.mapping / CAMERA_INFO_FILE
        self.map, self.bag = path / "map", path / "query"
        self.report, self.picture = path / "report", path / "demo.png"

    def clear(self) -> None:
        """Makes the folder, or empties that of an earlier demonstration.

        Raises:
            InputError: a folder that holds anything else, or cannot be written to.
        """
        try:
            if self.path.exists() and any(self.path.iterdir()) and not self._marker.exists():
                raise InputError(f"{self.path}: holds other files; give an empty or a new folder")
            self.path.mkdir(parents=True, exist_ok=True)
            self._marker.write_text("The folder of a demonstration; the next one empties it.\n")
            for folder in (self.mapping, self.map, self.bag, self.report):
                if folder.exists():
                    shutil.rmtree(folder)
            self.picture.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written to: {error}") from None


@dataclass(frozen=True)
class DemonstrationPlace:
    """A room that is mapped in one light and visited again in another."""

    seed: int
    room: Room
    mapped: Raycaster
    visited: Raycaster

    @staticmethod
    def furnish(seed: int) -> DemonstrationPlace:
        """The place of a seed; takes some seconds."""
        room = random_room(seed)
        return DemonstrationPlace(seed, room, Raycaster(room), Raycaster(relit(room, seed)))


def record_walks(
    folder: DemonstrationFolder, place: DemonstrationPlace, frames: int, progress: Progress
) -> None:
    """Renders a walk that maps the place, and a video of `frames` images of another one.

    Raises:
        InputError: recordings that are there already or cannot be written.
    """
    seed, walkway = place.seed, place.room.walkway
    walk = mapping_motion(walkway, KEYFRAMES, seed).T_map_camera
    write_mapping(folder.mapping, place.mapped, CAMERA, progress(walk, "mapping walk"), seed)
    video = query_motion(walkway, frames, seed)
    odometry = drifting_odometry(video.T_map_base, ODOMETRY_DRIFT, seed)
    write_query_bag(
        folder.bag,
        place.visited,
        CAMERA,
        video,
        odometry,
        seed,
        lambda poses: progress(poses, "query video"),
    )


def draw_picture(folder: DemonstrationFolder, place: DemonstrationPlace) -> None:
    """Draws `folder.picture` of the recordings, the map and the poses in the report.

    Raises:
        InputError: any of them missing, or a picture that cannot be written.
    """
    scene_map = load_map(folder.map)
    with BagReader(folder.bag) as bag:
        frames = read_frames(bag, pose_topic=GROUND_TRUTH_TOPIC)
        records = _records(folder, frames)
        shown = _typical_frame(frames, records, scene_map, place.visited)
    keyframe_poses = scene_map.keyframe_poses.numpy()
    figure = overview_figure(shown, records, keyframe_poses, place.room, place.mapped)
    try:
        folder.picture.write_bytes(_small_png(figure))
    except OSError as error:
        raise InputError(f"{folder.picture}: cannot be written: {error}") from None


def _records(folder: DemonstrationFolder, frames: Sequence[SourceFrame]) -> list[FrameRecord]:
    published = read_tum(folder.report / "poses.tum")
    records = []
    for frame in frames:
        stamp = frame.stamp
        pose = published.at(stamp)
        records.append(FrameRecord(stamp, frame.name, pose, ground_truth=frame.T_map_camera))
    return records


def _typical_frame(
    frames: Sequence[SourceFrame],
    records: Sequence[FrameRecord],
    scene_map: SceneMap,
    raycaster: Raycaster,
) -> ContactFrame:
    """The frame with the median error, and some of the map points that it sees."""
    errors = {i: r.error.translation for i, r in enumerate(records) if r.error is not None}
    index = sorted(errors, key=errors.__getitem__)[len(errors) // 2]
    points = scene_map.points.numpy().astype(np.float64)
    visible = _visible(points, frames[index], raycaster)
    chosen = np.linspace(0, len(visible) - 1, min(DRAWN_POINTS, len(visible))).astype(int)
    image = frames[index].load_image()
    return ContactFrame(records[index], image, frames[index].camera, visible[chosen])


def _visible(points: FloatArray, frame: SourceFrame, raycaster: Raycaster) -> FloatArray:
    """The points (N, 3) that the frame truly sees, by the renderer's depth."""
    assert frame.T_map_camera is not None  # the bag was read with its ground truth
    depth = raycaster.render(frame.camera, frame.T_map_camera).depth
    seen = transformed(inverse(frame.T_map_camera), points)
    in_front = seen[:, 2] > 0.1
    x, y, _ = np.rint(frame.camera.matrix @ (seen[in_front] / seen[in_front, 2:]).T).astype(int)
    inside = (x >= 0) & (x < frame.camera.width) & (y >= 0) & (y < frame.camera.height)
    candidates = np.flatnonzero(in_front)[inside]
    gap = np.abs(depth[y[inside], x[inside]] - seen[candidates, 2])
    return np.asarray(points[candidates[gap < VISIBLE_WITHIN]])


def _small_png(figure: Figure) -> bytes:
    """The figure in 256 colours, a third as large as in all colours."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png")
    with Image.open(raw) as image:
        palette = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, kmeans=2)
    small = io.BytesIO()
    palette.save(small, format="png", optimize=True)
    return small.getvalue()
