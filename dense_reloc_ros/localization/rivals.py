"""What else explains an image: a map may show the same thing in several places."""

from __future__ import annotations

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.point_choice import out_of_sight
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.retrieval.look_alikes import look_alikes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

POINTS = 350
"""By which a pose somewhere else is found: where there is none, as nearly always, more cost time.

In 12 corridors of equal doors (192 images) the same poses have a rival as by twice as many.
"""
STRONG = 0.5
"""Share of the best pose's score, from which on a rival is worth to be judged by all points.

Of 333 held-out views of nine scenes whose pose is sure and right (in the cache of
`tools/fit_confidence.py`), no rival has more than 0.36; among equal doors they have 0.88 and more.
"""
CONSIDERED = 4 * POINTS
"""Observations, among which they are chosen."""


def rivals_of(
    localizer: PlaceLocalizer,
    best: PoseEstimate,
    ranked: RankedKeyframes,
    features: DenseFeatures,
    camera: Camera,
    stopwatch: Stopwatch,
) -> list[PoseEstimate]:
    """A pose by what looks like an image, but is out of sight at its best pose; judged by all.

    Points out of sight find it, as all of them would find the best pose again. What is in sight
    from both, as the end of a corridor, may speak against one of them.

    Args:
        localizer: finds poses in places.
        best: the pose of the view, `T_map_view`.
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
    elsewhere = out_of_sight(scene_map, best.T_map_camera, camera, CONSIDERED)
    found = localizer.estimate_in([similar], features, camera, None, stopwatch, elsewhere, POINTS)
    return [
        localizer.estimate_at(rival.T_map_camera, similar, features, camera, stopwatch)
        if rival.score >= STRONG * best.score
        else rival
        for rival in found
    ]
