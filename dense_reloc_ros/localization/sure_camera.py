"""A rig whose first camera is sure alone: the others only have to agree, at little cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dense_reloc_ros.images.blankness import is_blank
from dense_reloc_ros.images.pixels import as_rgb
from dense_reloc_ros.localization.decision import contradict, with_rivals
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.rig_images import RigImage, SeenImage
from dense_reloc_ros.localization.rig_matching import match_images
from dense_reloc_ros.localization.rig_places import keyframes_in_sight
from dense_reloc_ros.localization.rig_verification import RigVerifier
from dense_reloc_ros.localization.rig_views import viewed
from dense_reloc_ros.localization.rivals import rivals_of
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.retrieval.places import places_among
from dense_reloc_ros.stopwatch import Stopwatch

SURE = 0.999
"""Confidence of the first camera from which on the others only confirm it: in bad light, they are
needed in full."""
SIZE = 0.5
"""Of the other cameras' views, whose features take a quarter of the time then."""
KEYFRAMES = 4
"""That each of them is matched with."""
CONFIRMING_POINTS = 1.0
"""Of all images together, relative to those of a single one."""


def confirmed_pose(
    localizer: SparseToDenseLocalizer,
    verifier: RigVerifier,
    images: Sequence[RigImage],
    first: SeenImage,
    stopwatch: Stopwatch,
) -> PoseEstimate | None:
    """The pose of the body by `first`, the first of the images, if that is sure, refined by all.

    None where none of the others supports it, or all together contradict it.
    """
    if is_blank(as_rgb(images[0].image)):
        return None
    alone = _sure_alone(localizer, first, stopwatch)
    if alone is None:
        return None
    T_map_body = alone.T_map_camera @ first.T_view_body
    seen = [first, *viewed(localizer, images[1:], stopwatch, size=SIZE)]
    with stopwatch.stage("retrieval"):
        options = localizer.configuration.retrieval.model_copy(update={"keyframes": KEYFRAMES})
        keyframes = keyframes_in_sight(seen[1:], localizer.scene_map, options, T_map_body)
    with stopwatch.stage("matching"):
        matches = match_images(
            localizer, seen, [list(alone.keyframes), *keyframes], CONFIRMING_POINTS
        )
    if matches is None:
        return None
    with stopwatch.stage("pose"):
        found = localizer.find_pose(matches.problem, T_map_body)
    if found is None:
        return None
    with stopwatch.stage("verification"):
        together = verifier.verified(matches, found)
    agrees = not contradict(
        replace(alone, T_map_camera=T_map_body), together, together.depth or 1.0
    )
    supporting = 1 if together.evidence is None else together.evidence.images
    return together if agrees and supporting > 1 and localizer.is_sure(together) else None


def _sure_alone(
    localizer: SparseToDenseLocalizer, image: SeenImage, stopwatch: Stopwatch
) -> PoseEstimate | None:
    """T_map_view of an image in the place that it looks like most, if no other explains it."""
    scene_map, options = localizer.scene_map, localizer.configuration.retrieval
    with stopwatch.stage("retrieval"):
        places = places_among(image.ranked, scene_map, options)[:1]
    found = localizer.estimate_in(places, image.features, image.camera, None, stopwatch)
    if not found or localizer.confidence(found[0]) < SURE:
        return None
    rivals = rivals_of(localizer, found[0], image.ranked, image.features, image.camera, stopwatch)
    is_sure = localizer.confidence(with_rivals(found[0], rivals)) >= SURE
    return found[0] if is_sure else None
