"""What other methods say of a pair of frames: the source is the only keyframe of a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import PoseError, pose_error, shifted
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer, PreparedImage
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.describing import KeyframeDescriber
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber
from dense_reloc_ros.neurhal.variants import NeurHalVariant
from dense_reloc_ros.stopwatch import Stopwatch
from dense_reloc_ros.training.hallucination_benchmark import FAILED


class Competitors:
    """A variant of NeurHal as a method, nre_feature_pnp and sift_pnp; every pose counts, whether it
    would be published or not.

    They look at each target once, in the view that it has, so that no method is better off.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        configuration: LocalizerConfiguration,
        variant: NeurHalVariant,
    ) -> None:
        self._extractor, self._configuration = extractor, configuration
        dense = DenseDescriber(extractor)
        self._describers: Mapping[str, KeyframeDescriber] = {
            variant: dense,
            "nre_feature_pnp": dense,
            "sift_pnp": RootSiftDescriber(),
        }
        self._localizers: dict[tuple[str, str], Localizer | None] = {}

    def poses(self, source: SourceFrame, target: SourceFrame) -> dict[str, PoseError]:
        """Errors of the target's pose by method; infinite where there is none."""
        image, camera = target.load_undistorted(), target.camera.pinhole()
        errors = {}
        for method in self._describers:
            localizer = self._localizer(source, method)
            found = None if localizer is None else _pose(localizer, image, camera)
            truth = target.known_pose()
            errors[method] = FAILED if found is None else pose_error(truth, found)
        return errors

    def _localizer(self, source: SourceFrame, method: str) -> Localizer | None:
        """On a map of one keyframe; None where nothing in it can be a point."""
        key = source.name, method
        if key not in self._localizers:
            try:
                scene_map = build_from_depth([source], self._describers[method])
            except InputError:
                self._localizers[key] = None
            else:
                scene_map = replace(scene_map, images=lambda _: source.load_undistorted())
                self._localizers[key] = localizer_for(
                    scene_map, self._configuration, method, self._extractor.device
                )
        return self._localizers[key]


@torch.inference_mode()
def _pose(localizer: Localizer, image: NDArray[np.uint8], camera: Camera) -> FloatArray | None:
    stopwatch = Stopwatch(localizer.device)
    found: list[PoseEstimate]
    if isinstance(localizer, SparseToDenseLocalizer):
        features = localizer.extractor(image_to_tensor(image, localizer.device))
        found = localizer.estimate_in([[0]], features, camera, None, stopwatch)
    else:
        found = list(localizer.estimate(PreparedImage(image, camera, stopwatch), None).estimates)
    best = max(found, key=lambda estimate: estimate.score, default=None)
    if best is None:
        return None
    return shifted(best.T_map_camera, localizer.scene_map.origin)
