"""The last resort where no pose is sure: poses by points of keyframes that an image hardly shows.

They are starts as coarse poses are, and only for maps that hold images.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, project_to_so3, rigid
from dense_reloc_ros.localization.hallucinated_poses import HallucinatedPoses
from dense_reloc_ros.localization.query_view import QueryView

KEYFRAMES = 3
"""Those that look most like the image, each alone."""


class LastResort:
    """Poses by NeurHal's maps of the keyframes that look most like an image."""

    def __init__(self, hallucinated: HallucinatedPoses) -> None:
        self._hallucinated = hallucinated

    def starts(
        self,
        view: QueryView,
        features: DenseFeatures,
        keyframes: list[int],
        configuration: LocalizerConfiguration,
    ) -> Iterator[list[FloatArray]]:
        """T_map_view (4, 4) by each of the first keyframes alone, by matches before by maps."""
        target = self._hallucinated.target(view.image, view.camera, features)
        for keyframe in keyframes[:KEYFRAMES]:
            found = self._hallucinated.around(target, [keyframe], configuration)
            yield [_inverse(pose) for pose in (*found.by_matches, *found.by_maps[:1])]


def _inverse(T_view_map: Tensor) -> FloatArray:
    """T_map_view of a pose in single precision."""
    matrix = T_view_map.double().numpy()
    return inverse(rigid(project_to_so3(matrix[:3, :3]), matrix[:3, 3]))
