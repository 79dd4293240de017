from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gallery import Gallery

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.neurhal.hallucinator import NeurHal
from dense_reloc_ros.neurhal.hallucinator_weights import create_hallucinator
from dense_reloc_ros.neurhal.tasks import Task
from dense_reloc_ros.training.data.depth_frames import load_depth_frame
from dense_reloc_ros.training.hallucination_benchmark import (
    OVERLAPS,
    drawn_pairs,
    measured,
    scene_views,
    uniform_nre,
)
from dense_reloc_ros.training.pair_competitors import Competitors


@pytest.fixture(scope="module")
def network() -> NeurHal:
    torch.manual_seed(0)
    return create_hallucinator("neurhal_compact").eval().requires_grad_(False)


def test_pairs_are_drawn_in_each_bin_of_overlap_and_none_beyond():
    overlaps = np.linspace(0, 0.6, 400).reshape(20, 20)
    pairs = drawn_pairs(overlaps, 4)
    assert len(pairs) == 4 * (len(OVERLAPS) - 1)
    assert all(pair.overlap == overlaps[pair.source, pair.target] for pair in pairs)
    assert all(0.02 <= pair.overlap < 0.5 for pair in pairs)
    assert len({(pair.source, pair.target) for pair in pairs}) == len(pairs)


def test_the_error_of_a_uniform_map_counts_the_cells_of_each_plane(network):
    assert uniform_nre(network, 0.0) == pytest.approx(math.log(12 * 16))
    assert uniform_nre(network, 0.25) == pytest.approx(math.log(18 * 24))
    assert uniform_nre(network, 0.5) == pytest.approx(math.log(24 * 32))


def test_a_pair_is_measured_by_task_and_estimator(gallery: Gallery, network):
    frames = gallery.keyframes()
    views = scene_views(network, [load_depth_frame(frame) for frame in frames])
    pairs = drawn_pairs(views.overlaps, 1)
    assert pairs
    for result in measured(network, views, pairs, LocalizerConfiguration()):
        one, other = (frames[i].known_pose() for i in (result.pair.source, result.pair.target))
        between, identity = pose_error(one, other), result.poses["identity"]
        assert identity.translation == pytest.approx(between.translation, abs=1e-6)
        assert identity.rotation == pytest.approx(between.rotation, abs=1e-6)
        assert {"NRE, γ 0%", "NRE, γ 25%", "NRE, γ 50%", "RE, γ 50%"} < result.poses.keys()
        outside = result.tasks == Task.OUTPAINT
        # A plane that ends half a cell within the image holds no correspondent outside of it.
        assert np.isnan(result.nres[0.0][outside]).all()
        assert np.isfinite(result.nres[0.5]).all()
        # What is seen is matched before anything is learned; the rest is as good as guessed.
        assert 2 < result.nres[0.5].mean() < 9
        assert len(result.pixels) == len(result.tasks)


def test_other_methods_find_a_target_by_the_map_of_its_source_alone(gallery: Gallery):
    source, target = gallery.keyframes()[:2]
    extractor = create_extractor("compact", torch.device("cpu"))
    competitors = Competitors(extractor, LocalizerConfiguration(), "neurhal_compact")
    poses = competitors.poses(source, target)
    assert poses.keys() == {"neurhal_compact", "nre_feature_pnp", "sift_pnp"}
    for method in ("neurhal_compact", "nre_feature_pnp"):
        assert poses[method].translation < 0.05
        assert math.degrees(poses[method].rotation) < 2
