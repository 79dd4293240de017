"""What colour the points of a map have, for people who look at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.scene.scene_map import SceneMap

GREY = 160
"""Of points whose colour is not known."""


def point_colours(scene_map: SceneMap) -> NDArray[np.uint8]:
    """The colour (P, 3) RGB of each point: as stored, or else by the images of the keyframes.

    Grey where a map has neither, as maps of 0.1.0 without images.

    Raises:
        MapError: an image of the map that cannot be read.
    """
    if scene_map.colours is not None or scene_map.images is None:
        return stored_colours(scene_map)
    seen = [
        colours_at(
            scene_map.images(keyframe),
            scene_map.observation_pixels[scene_map.observations(keyframe)].numpy(),
        )
        for keyframe in range(scene_map.keyframe_count)
    ]
    return mean_colours(
        scene_map.observation_points.numpy(), np.concatenate(seen), len(scene_map.points)
    )


def stored_colours(scene_map: SceneMap) -> NDArray[np.uint8]:
    """The colours (P, 3) RGB that a map knows without reading images, grey where it has none."""
    if scene_map.colours is None:
        return np.full((len(scene_map.points), 3), GREY, dtype=np.uint8)
    return np.asarray(scene_map.colours.numpy())


def colours_at(image: NDArray[np.uint8], pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours (N, 3) of an image (H, W, 3) RGB at pixels (N, 2)."""
    last = [image.shape[1] - 1, image.shape[0] - 1]
    columns, rows = np.clip(np.rint(pixels).astype(int), 0, last).T
    return image[rows, columns]


def mean_colours(
    points: NDArray[np.int64], colours: NDArray[np.uint8], count: int
) -> NDArray[np.uint8]:
    """The mean colour (`count`, 3) of each point in observations (O,) with a colour each, (O, 3).

    Grey where none shows the point.
    """
    views = np.bincount(points, minlength=count)
    sums = np.stack([np.bincount(points, channel, count) for channel in colours.T], axis=1)
    mean = np.rint(sums / np.maximum(views, 1)[:, None])
    return np.where(views[:, None] > 0, mean, GREY).astype(np.uint8)
