"""S2DHM and S2DNet as methods in a rendered room, and what their filters leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.match_filters import MatchFilters
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.localization.single_matches import S2DHM, S2DNET, SingleMatchLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.method_configuration import MatchesConfiguration
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.writer import write_map
from dense_reloc_ros.stopwatch import Stopwatch

CPU = torch.device("cpu")
FEW = block_from_mapping(LocalizerConfiguration, {"retrieval": {"keyframes": 3}})


@pytest.fixture(scope="module")
def map_path(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = gallery.keyframes()
    describer = DenseDescriber(create_extractor("effnet_lite0", CPU), 200)
    path = tmp_path_factory.mktemp("gallery") / "map"
    write_map(path, build_from_depth(frames, describer), lambda index: frames[index].load_image())
    return path


@pytest.fixture(scope="module", params=[S2DHM.name, S2DNET.name])
def localizer(request, map_path: Path) -> SingleMatchLocalizer:
    return open_localizer(map_path, FEW, request.param, "cpu")


@pytest.mark.parametrize("yaw", [15, 200])
def test_views_of_the_room_are_localized(yaw, gallery, localizer):
    truth = looking(yaw, distance=0.3, height=1.3, pitch=2.0)
    found = localizer.localize(gallery.render(truth).image, CAMERA)
    assert found.status is Status.LOCALIZED, found.reason
    error = pose_error(found.T_map_camera, truth)
    assert error.translation < 0.12
    assert np.degrees(error.rotation) < 2.0


def test_what_is_no_picture_of_the_room_is_not(localizer):
    noise = np.random.default_rng(0).integers(0, 256, (CAMERA.height, CAMERA.width, 3), np.uint8)
    assert localizer.localize(noise, CAMERA).status is not Status.LOCALIZED


def test_every_neighbour_is_a_place_of_its_own(gallery, map_path):
    localizer = open_localizer(map_path, FEW, S2DHM.name, "cpu")
    found = localizer.localize(gallery.render(looking(110, 0.3)).image, CAMERA)
    assert len(found.estimate.keyframes) == 1


def test_the_neighbour_with_the_most_inliers_wins(gallery, map_path):
    """Whatever retrieval put first: each neighbour alone has no more than the chosen one."""
    image = gallery.render(looking(110, 0.3)).image
    localizer = open_localizer(map_path, FEW, S2DHM.name, "cpu")
    chosen = localizer.localize(image, CAMERA).estimate.keyframes
    features = localizer.extractor(image_to_tensor(image))
    inliers = {}
    for place in S2DHM.retrieve(features, localizer.scene_map, localizer.configuration.retrieval):
        alone = replace(S2DHM, retrieve=lambda *_, place=place: [place])
        only = SingleMatchLocalizer(localizer.scene_map, localizer.configuration, CPU, alone)
        inliers[tuple(place)] = count_inliers(only, image)
    assert len(inliers) > 1
    assert inliers[chosen] == max(inliers.values())


def count_inliers(localizer: SingleMatchLocalizer, image: np.ndarray) -> int:
    """Of the only place, by the pose that comes of it and the filtered matches."""
    features = localizer.extractor(image_to_tensor(image))
    (place,) = localizer._recipe.retrieve(features, None, None)
    found = localizer._pose_in(place, features, CAMERA, Stopwatch(CPU))
    return 0 if found is None else found.inliers


@pytest.fixture(scope="module")
def matched(gallery, map_path):
    localizer = open_localizer(map_path, FEW, S2DHM.name, "cpu")
    scene_map = localizer.scene_map
    features = localizer.extractor(image_to_tensor(scene_map.images(3)))
    seen = scene_map.observations(3)
    observations = torch.arange(seen.start, seen.stop)
    points = scene_map.observation_points[observations]
    problem = localizer.problem(features, CAMERA, points, localizer.descriptors(observations))
    return localizer, observations, problem


def kept(matched, ratio: float = 0.0, **options) -> torch.Tensor:
    localizer, observations, problem = matched
    filters = MatchFilters(localizer.scene_map, localizer.extractor)
    return filters.kept(observations, problem, MatchesConfiguration(**options), ratio)


def between(values: torch.Tensor) -> float:
    """A threshold that no value (N,) is so near that rounding decides: in the widest gap."""
    middle = values.sort().values[len(values) // 4 : -len(values) // 4]
    widest = int(middle.diff().argmax())
    return float(middle[widest : widest + 2].mean())


def test_without_any_all_matches_are_kept(matched):
    assert kept(matched).all()


def test_the_ratio_test_is_equation_3_1(matched):
    _, _, problem = matched
    maps = correlate(problem.coarse_descriptors, problem.coarse_level).flatten(1)
    ordered = maps.sort(dim=1, descending=True).values
    for share in (0.01, 0.1):
        ratios = ordered[:, 0] / ordered[:, int(share * maps.shape[1])]
        ratio = between(ratios)
        expected = ratios > ratio
        assert (kept(matched, rank_share=share, ratio=ratio) == expected).all()
        assert (kept(matched, ratio, rank_share=share) == expected).all()


def test_the_probability_is_that_of_the_highest_cell(matched):
    _, _, problem = matched
    highest = problem.log_coarse.flatten(1).amax(1).exp()
    threshold = between(highest)
    assert (kept(matched, least_probability=threshold) == (highest > threshold)).all()


def test_matches_in_the_same_image_lead_back(matched):
    assert kept(matched, cyclic_distance=8.0).float().mean() > 0.95


def test_matches_in_an_image_of_something_else_do_not(matched, gallery):
    localizer, observations, _ = matched
    features = localizer.extractor(image_to_tensor(gallery.render(looking(270, 0.3)).image))
    points = localizer.scene_map.observation_points[observations]
    elsewhere = localizer.problem(features, CAMERA, points, localizer.descriptors(observations))
    found = kept((localizer, observations, elsewhere), cyclic_distance=8.0)
    assert found.float().mean() < 0.4


def test_the_cyclic_check_needs_the_keyframes_images(matched):
    localizer, observations, problem = matched
    filters = MatchFilters(replace(localizer.scene_map, images=None), localizer.extractor)
    with pytest.raises(MapError, match="--store-images"):
        filters.kept(observations, problem, MatchesConfiguration(cyclic_distance=5.0), 0.0)
