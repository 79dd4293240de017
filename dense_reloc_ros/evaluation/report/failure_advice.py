"""What would help frames that have no pose, or a wrong one: a few rules, each of one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.scene.scene_map import SceneMap

FAR_DEPTH_SHARE = 0.3
"""Of the depth: from further away (half a metre in a room) few frames are localized rightly."""
FAR_RADIANS = math.radians(30.0)
DARK = 40.0
"""Mean brightness, of 255."""
PLAIN = 8.0
"""Standard deviation of the brightness of an image of next to nothing, of 255."""
CONFUSED = 0.05
"""How likely poses elsewhere are, relative to the best one, from which on it is unsure which."""
FEW_POINTS = 30


@dataclass(frozen=True)
class NearestKeyframe:
    """The keyframe whose view is most like that of a frame."""

    index: int
    distance: float
    """In the map's unit of length."""
    angle: float
    """Radians."""


@dataclass(frozen=True)
class MapViews:
    """Where the map was recorded from."""

    scene_map: SceneMap

    @cached_property
    def depth(self) -> float:
        """Median depth of what the keyframes see, in the map's unit of length."""
        scene_map, poses = self.scene_map, self.scene_map.keyframe_poses.numpy()
        keyframes = np.repeat(np.arange(len(poses)), np.diff(scene_map.observation_offsets.numpy()))
        points = scene_map.points.numpy()[scene_map.observation_points.numpy()]
        offsets = points - poses[keyframes, :3, 3]
        return float(np.median((offsets * poses[keyframes, :3, 2]).sum(axis=1)))

    def nearest(self, T_map_camera: FloatArray) -> NearestKeyframe:
        """The keyframe with the least squared distance, by the depth, plus squared angle."""
        poses = self.scene_map.keyframe_poses.numpy()
        distances = np.linalg.norm(poses[:, :3, 3] - T_map_camera[:3, 3], axis=1)
        traces = np.einsum("kij,ij->k", poses[:, :3, :3], T_map_camera[:3, :3])
        angles = np.arccos(np.clip((traces - 1) / 2, -1.0, 1.0))
        index = int(np.argmin((distances / self.depth) ** 2 + angles**2))
        return NearestKeyframe(index, float(distances[index]), float(angles[index]))

    def is_far(self, keyframe: NearestKeyframe) -> bool:
        """Whether a frame is seldom localized if this is the keyframe nearest to it."""
        return keyframe.distance > FAR_DEPTH_SHARE * self.depth or keyframe.angle > FAR_RADIANS


def failed(record: FrameRecord) -> bool:
    """Whether a frame has no pose, or one that is known to be wrong."""
    return not record.is_localized or (record.error is not None and not WRONG.holds(record.error))


def advice(
    record: FrameRecord, image: RgbImage | None, views: MapViews, nearest: NearestKeyframe | None
) -> list[str]:
    """What would help a failed frame, the likeliest first; at least one sentence.

    `nearest` is the keyframe nearest to where it was truly taken, None where that is unknown.
    """
    sentences = [
        *_of_image(image),
        *_of_view(record, views, nearest),
        *_of_pose(record, views.scene_map),
    ]
    return sentences or [
        "Nothing of this kind is wrong: see whether the place has changed, or the image is blurred."
    ]


def _of_image(image: RgbImage | None) -> Iterator[str]:
    if image is None:
        yield "The image cannot be used; the reason says why."
    elif image.mean() < DARK:
        yield "The image is dark: more light or a longer exposure."
    elif image.mean(axis=2).std() < PLAIN:
        yield "The image shows next to nothing; the next ones may do."


def _of_view(
    record: FrameRecord, views: MapViews, nearest: NearestKeyframe | None
) -> Iterator[str]:
    if nearest is not None and views.is_far(nearest):
        metres = FAR_DEPTH_SHARE * views.depth / record.metre
        degrees = math.degrees(FAR_RADIANS)
        yield (
            f"No keyframe is within {metres:.2g} m and {degrees:.0f}°: map this place from there."
        )


def _of_pose(record: FrameRecord, scene_map: SceneMap) -> Iterator[str]:
    error, evidence = record.found_error, record.evidence
    if error is not None and not WRONG.holds(error) and record.keyframes:
        name = scene_map.information.keyframe_names[record.keyframes[0]]
        yield (
            f"The pose that was found is {error.translation:.2g} m and "
            f"{math.degrees(error.rotation):.0f}° off, by keyframe {name}: if that shows another "
            "place, record more of what differs between the two."
        )
    elif evidence is not None and evidence.equals > CONFUSED:
        yield "It is unsure between two places: record more of what differs between them."
    if record.found_pose is None and not record.is_localized:
        yield "Too few points match: map this place as it looks now."
    elif evidence is not None and evidence.supporting < FEW_POINTS:
        yield f"Only {evidence.supporting} points support the pose: keyframes nearby add some."
    elif not record.is_localized and error is not None and WRONG.holds(error):
        yield "The pose that was found is right: a keyframe like this image would make it surer."
