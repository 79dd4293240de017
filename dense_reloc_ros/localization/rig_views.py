"""The views in which the images of a rig are matched, with their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dense_reloc_ros.devices import network_batch
from dense_reloc_ros.features.extractor import features_of_each
from dense_reloc_ros.images.pixels import as_rgb
from dense_reloc_ros.localization.query_view import QueryView, magnified, turned
from dense_reloc_ros.localization.relative_view import quarters_by_up
from dense_reloc_ros.localization.rig_images import RigImage, SeenImage
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.localization.view_choice import map_magnification, most_pixels
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

NOT_RETRIEVED = RankedKeyframes.none()


def seen_images(
    localizer: SparseToDenseLocalizer,
    images: Sequence[RigImage],
    stopwatch: Stopwatch,
    quarters: Sequence[int] | None = None,
) -> list[SeenImage]:
    """Each image at the scale of the keyframes, with its features and what looks like it.

    Those that hang turned in the map are turned back by `quarters`, one number for each, or else by
    where up is in them, if that is known.

    Raises:
        InputError: an image that does not fit its camera, or is too small.
    """
    seen = viewed(localizer, images, stopwatch, quarters)
    options = localizer.configuration.retrieval
    with stopwatch.stage("retrieval"):
        return [
            replace(image, ranked=rank_keyframes(image.features, localizer.scene_map, options))
            for image in seen
        ]


def viewed(
    localizer: SparseToDenseLocalizer,
    images: Sequence[RigImage],
    stopwatch: Stopwatch,
    quarters: Sequence[int] | None = None,
    size: float = 1.0,
) -> list[SeenImage]:
    """As `seen_images`, without what looks like them, at `size` times that scale."""
    views = []
    for number, image in enumerate(images):
        with stopwatch.stage("undistort"):
            pixels, camera = localizer.at_working_size(as_rgb(image.image), image.camera)
            view = QueryView.of(camera.undistort(pixels), camera.pinhole())
        scale = size * map_magnification(localizer.scene_map, view.camera)
        view = magnified(view, scale, round(size**2 * most_pixels(localizer.scene_map)))
        known = quarters_by_up(localizer.scene_map, image.up_in_camera)
        views.append(turned(view, quarters[number] if quarters else known))
    with stopwatch.stage("features"):
        at_once = network_batch(localizer.device)
        features = features_of_each(localizer.extractor, [view.image for view in views], at_once)
    return [
        SeenImage(
            view.camera,
            image.T_body_camera @ view.T_camera_view,
            of_view,
            NOT_RETRIEVED,
            image.name,
            image.odometry_covariance,
            image.extrinsics_covariance(localizer.configuration.rig),
        )
        for image, view, of_view in zip(images, views, features, strict=True)
    ]
