"""What else explains an image: a map may show the same thing in several places."""

from __future__ import annotations

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.decision import STRONG_RIVAL, contradict
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.point_choice import out_of_sight
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.retrieval.look_alikes import look_alikes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

POINTS_SHARE = 0.5
"""Of the points of a place, by which a pose somewhere else is found: where there is none, as nearly
always, more cost time.

In 12 corridors of equal doors (192 images) the same poses have a rival as by all of them.
"""
CHOICE = 4
"""Observations for each of these points, among which it is chosen."""


def rivals_of(
    localizer: PlaceLocalizer,
    best: PoseEstimate,
    ranked: RankedKeyframes,
    features: DenseFeatures,
    camera: Camera,
    stopwatch: Stopwatch,
) -> list[PoseEstimate]:
    """A pose that contradicts the best one, by what looks like a view, but is out of sight there.

    Points out of sight find it, as all of them would find the best pose again. If they explain the
    view about as well, as many points as usual judge it: what is in sight from both, as the end of
    a corridor, may speak against one of them.

    Args:
        localizer: finds poses in places.
        best: the pose of the view.
        ranked: the keyframes that the view looks like.
        features: of the view.
        camera: of the view.
        stopwatch: of the image.
    """
    scene_map, options = localizer.scene_map, localizer.configuration.retrieval
    with stopwatch.stage("retrieval"):
        similar = look_alikes(ranked, scene_map, options, best.T_map_camera, camera)
    if not similar:
        return []
    points = max(1, round(POINTS_SHARE * localizer.configuration.matching.points))
    elsewhere = out_of_sight(scene_map, best.T_map_camera, camera, CHOICE * points)
    found = localizer.estimate_in([similar], features, camera, None, stopwatch, elsewhere, points)
    judged = [
        localizer.estimate_near(rival.T_map_camera, similar, features, camera, stopwatch)
        if rival.score >= STRONG_RIVAL * best.score
        else rival
        for rival in found
    ]
    depth = best.depth or 1.0
    return [rival for rival in judged if rival is not None and contradict(best, rival, depth)]
