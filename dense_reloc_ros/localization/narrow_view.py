"""Which observations a view is matched with that shows much less than the keyframes do.

Through a longer lens, or from nearer, a view shows a small part of what each keyframe shows. Most
points of the keyframes are out of sight then, and too few of the others are chosen by how
distinctive they are. More keyframes are needed, and the points that are in sight there.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.point_choice import PointChoice
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.retrieval.local_evidence import mutual_distinctiveness
from dense_reloc_ros.retrieval.overlap import observations_in_sight, overlapping_keyframes
from dense_reloc_ros.scene.scene_map import SceneMap

MORE_KEYFRAMES = 2.5
"""Times as many as for other views."""
MARGIN = 0.15
"""Of a view's size, by which a point may be beside it: the first pose is not exact."""
MUTUAL = PointChoice(mutual_distinctiveness)
"""The points that the image matches best."""


def with_more_keyframes(options: RetrievalConfiguration) -> RetrievalConfiguration:
    """The retrieval of a narrow view."""
    keyframes = round(MORE_KEYFRAMES * options.keyframes)
    candidates = max(options.candidates, 2 * keyframes)
    return options.model_copy(update={"keyframes": keyframes, "candidates": candidates})


def keyframes_in_sight(
    scene_map: SceneMap, T_map_view: FloatArray, camera: Camera, options: RetrievalConfiguration
) -> list[int]:
    """The keyframes that see most of what a narrow view at a pose (4, 4) sees."""
    keyframes, _ = overlapping_keyframes(scene_map, T_map_view, camera)
    return keyframes[: with_more_keyframes(options).keyframes].tolist()


def likely_in_sight(scene_map: SceneMap, T_map_view: FloatArray, camera: Camera) -> PointChoice:
    """The points that are in sight from a pose (4, 4), whether the image matches them or not."""
    larger = _with_margin(camera)

    def among(observations: Tensor) -> Tensor:
        return observations_in_sight(scene_map, observations, T_map_view, larger)

    return PointChoice(among=among)


def narrowing(scene_map: SceneMap, view: QueryView) -> float:
    """How many times as wide as high as a view the smallest keyframe is, at the same scale."""
    pixels, _ = scene_map.keyframe_pixels
    return view.enlargement * math.sqrt(pixels / (view.camera.width * view.camera.height))


def widened(estimate: PoseEstimate, factor: float) -> PoseEstimate:
    """An estimate with a covariance `factor` times as large, in its evidence, too.

    Points that are close to each other err alike, so that those of a narrow view are worth fewer
    than as many that are spread over a keyframe. Where the factor is how much narrower the view is
    in each direction, covariances of held-out views hold at any zoom.
    """
    evidence, deviation = estimate.evidence, math.sqrt(factor)
    if evidence is not None:
        evidence = replace(
            evidence,
            translation_deviation=deviation * evidence.translation_deviation,
            rotation_deviation=deviation * evidence.rotation_deviation,
        )
    return replace(estimate, covariance=factor * estimate.covariance, evidence=evidence)


def seen_by_little(estimate: PoseEstimate, field_share: float) -> PoseEstimate:
    """An estimate of a camera whose field of view is but a share of a keyframe's."""
    if estimate.evidence is None:
        return estimate
    return replace(estimate, evidence=replace(estimate.evidence, field_share=field_share))


def _with_margin(camera: Camera) -> Camera:
    """The camera with a larger image around the same one."""
    right, down = round(MARGIN * camera.width), round(MARGIN * camera.height)
    return Camera(
        camera.width + 2 * right,
        camera.height + 2 * down,
        camera.fx,
        camera.fy,
        camera.cx + right,
        camera.cy + down,
    )
