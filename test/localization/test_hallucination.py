"""NeurHal as a method, with a network that knows where a view has the points of keyframes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration, SearchConfiguration
from dense_reloc_ros.errors import ConfigurationError, MapError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import inverse, pose_error
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.hallucinated_poses import HallucinatedPoses
from dense_reloc_ros.localization.hallucination import NeurHalLocalizer
from dense_reloc_ros.localization.last_resort import LastResort
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.method_configuration import NeurHalConfiguration
from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.hallucinator_weights import open_hallucinator
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
from dense_reloc_ros.scene.scene_map import SceneMap

CPU = torch.device("cpu")
PLANE = CorrespondencePlane.around((12, 16), 16, 7.5, 0.5)


@dataclass
class KnowingNetwork:
    """Maps of points are peaks where the `pose`, T_map_camera, has them."""

    pose: np.ndarray
    keyframe_poses: Tensor
    name: str = "neurhal_compact"
    image_size: tuple[int, int] = (192, 256)
    sources: int = 0
    points: int = 0

    def source_view(self, image: Tensor, intrinsics: Tensor) -> SimpleNamespace:
        self.sources += 1
        return SimpleNamespace(mean=image.mean(), intrinsics=intrinsics)

    def target_view(self, image: Tensor, intrinsics: Tensor) -> Tensor:
        return intrinsics[0]

    def match(self, source, target, pixels, depths) -> HallucinatedMaps:
        self.points = pixels.shape[1]
        rays = (pixels[0] - source.intrinsics[0, 2:]) / source.intrinsics[0, :2]
        in_source = torch.cat([rays, torch.ones(len(rays), 1)], 1) * depths[0, :, None]
        # The keyframe is the one whose points then fit best: tests use maps of one keyframe.
        T = torch.from_numpy(inverse(self.pose)) @ self.keyframe_poses[0]
        in_target = in_source.double() @ T[:3, :3].T + T[:3, 3]
        there = in_target[:, :2] / in_target[:, 2:] * target[:2] + target[2:]
        offsets = PLANE.cells(PLANE.centres()) - PLANE.cells(there.float())[:, None, None]
        log_maps = -2 * offsets.square().sum(-1)
        normalized = log_maps - log_maps.flatten(1).logsumexp(1)[:, None, None]
        return HallucinatedMaps(normalized[None], PLANE)


@pytest.fixture(scope="module")
def extractor():
    return create_extractor("effnet_lite0", CPU)


@pytest.fixture(scope="module")
def one_keyframe(gallery: Gallery, extractor) -> SceneMap:
    frame = gallery.keyframes()[0]
    scene_map = build_from_depth([frame], DenseDescriber(extractor, 200))
    return replace(scene_map, images=lambda _: frame.load_image())


def localizer_at(pose: np.ndarray, scene_map: SceneMap, extractor) -> NeurHalLocalizer:
    return localizer_with(KnowingNetwork(pose, scene_map.keyframe_poses), scene_map, extractor)


def localizer_with(
    network: KnowingNetwork, scene_map: SceneMap, extractor, **options
) -> NeurHalLocalizer:
    configuration = LocalizerConfiguration(neurhal=NeurHalConfiguration(**options))
    return NeurHalLocalizer(scene_map, configuration, CPU, "neurhal_compact", network, extractor)


def test_views_of_half_a_keyframe_are_found_and_refined_by_what_is_seen(
    gallery, one_keyframe, extractor
):
    pose = looking(28)
    localizer = localizer_at(pose, one_keyframe, extractor)
    result = localizer.localize(gallery.render(pose).image, CAMERA)
    error = pose_error(result.estimate.T_map_camera, pose)
    assert error.translation < 0.05
    assert np.degrees(error.rotation) < 1.0
    assert {"features", "retrieval", "matching", "pose"} <= result.stage_milliseconds.keys()


def test_a_pose_that_sees_nothing_again_is_found_but_not_published(
    gallery, one_keyframe, extractor
):
    pose = looking(72)
    localizer = localizer_at(pose, one_keyframe, extractor)
    result = localizer.localize(gallery.render(pose).image, CAMERA)
    assert not result.is_localized
    error = pose_error(result.estimate.T_map_camera, pose)
    assert error.translation < 0.5
    assert np.degrees(error.rotation) < 10


def test_keyframes_are_seen_once_and_as_many_points_are_looked_for_as_configured(
    gallery, one_keyframe, extractor
):
    pose = looking(20)
    network = KnowingNetwork(pose, one_keyframe.keyframe_poses)
    localizer = localizer_with(network, one_keyframe, extractor, points=50)
    for _ in range(2):
        localizer.localize(gallery.render(pose).image, CAMERA)
    assert network.sources == 1
    assert network.points == 50


def test_the_last_resort_starts_near_poses_that_see_half_of_a_keyframe(
    gallery, one_keyframe, extractor
):
    pose, configuration = looking(28), LocalizerConfiguration()
    network = KnowingNetwork(pose, one_keyframe.keyframe_poses)
    hallucinated = HallucinatedPoses(one_keyframe, configuration, "neurhal_compact", CPU, network)
    view = QueryView.of(gallery.render(pose).image, CAMERA)
    features = extractor(image_to_tensor(view.image))
    (starts,) = LastResort(hallucinated).starts(view, features, [0], configuration)
    errors = [pose_error(start, pose) for start in starts]
    # By matches to a fraction of a fine cell, by maps to one of a cell of the plane.
    assert errors[0].translation < 0.05 and np.degrees(errors[0].rotation) < 1
    assert errors[1].translation < 0.5 and np.degrees(errors[1].rotation) < 10


def test_maps_without_images_are_refused(one_keyframe, extractor):
    without = replace(one_keyframe, images=None)
    with pytest.raises(MapError, match="--store-images"):
        localizer_at(looking(0), without, extractor)
    asked = LocalizerConfiguration(search=SearchConfiguration(last_resort="neurhal_compact"))
    with pytest.raises(MapError, match="--store-images"):
        localizer_for(without, asked, "nre_feature_pnp", CPU)
    assert localizer_for(without, LocalizerConfiguration(), "nre_feature_pnp", CPU)


def test_the_published_network_needs_a_file_of_weights():
    with pytest.raises(ConfigurationError, match=r"neurhal\.weights"):
        open_hallucinator("neurhal", CPU)
