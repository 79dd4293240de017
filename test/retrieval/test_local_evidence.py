"""Re-ranking on a map of three keyframes of which the query shows one."""

from __future__ import annotations

import numpy as np
import torch
from retrieval.tiny_map import tiny_map
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.retrieval.index import LEVEL
from dense_reloc_ros.retrieval.local_evidence import rank_by_evidence


def query() -> DenseFeatures:
    """Blocks of 2 x 2 equal cells, so that averaging leaves them as they are."""
    generator = torch.Generator().manual_seed(0)
    blocks = normalize(torch.randn(1, 16, 5, 6, generator=generator), dim=1)
    values = blocks.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    return DenseFeatures({LEVEL: FeatureLevel(8, 3.5, values)}, torch.zeros(1, 4))


def unlike() -> torch.Tensor:
    """Descriptors (9, 16) of anything."""
    generator = torch.Generator().manual_seed(1)
    return normalize(torch.randn(9, 16, generator=generator), dim=1)


def test_the_keyframe_whose_points_are_in_the_image_comes_first():
    descriptors = unlike()
    descriptors[3:6] = query().levels[LEVEL].values[0, :, [0, 4, 9], [1, 8, 3]].T
    scene_map = tiny_map([[0, 1, 2], [3, 4, 5], [6, 7, 8]], descriptors)
    found = rank_by_evidence(query(), scene_map, np.array([2, 0, 1]), 48)
    ranked, evidence = found.keyframes, found.evidence
    cells = query().levels[LEVEL].values[0].flatten(1)
    means = (scene_map.descriptors[LEVEL].float() @ cells).amax(1).view(3, 3).mean(1)
    assert ranked[0] == 1
    assert ranked.tolist() == means.argsort(descending=True).tolist()
    torch.testing.assert_close(evidence, means[ranked], atol=1e-4, rtol=0)
    torch.testing.assert_close(evidence[0], torch.tensor(1.0), atol=1e-3, rtol=0)


def test_only_the_keyframes_asked_for_are_ranked():
    scene_map = tiny_map([[0, 1, 2], [3, 4, 5], [6, 7, 8]], unlike())
    ranked = rank_by_evidence(query(), scene_map, np.array([2, 0]), 48)
    assert sorted(ranked.keyframes.tolist()) == [0, 2]
    assert ranked.evidence.shape == (2,)


def test_of_many_observations_some_from_first_to_last_are_used():
    descriptors = unlike()
    scene_map = tiny_map([list(range(9))], descriptors)
    ranked = rank_by_evidence(query(), scene_map, np.array([0]), 3)
    cells = query().levels[LEVEL].values[0].flatten(1)
    best = (scene_map.descriptors[LEVEL].float() @ cells).amax(1)
    assert ranked.observations.tolist() == [[0, 4, 8]]
    np.testing.assert_allclose(ranked.correlations[0], best[[0, 4, 8]], atol=1e-4)
    torch.testing.assert_close(ranked.evidence[0], best[[0, 4, 8]].mean(), atol=1e-4, rtol=0)


def test_a_keyframe_without_observations_comes_last():
    scene_map = tiny_map([[], list(range(9))], unlike())
    ranked = rank_by_evidence(query(), scene_map, np.array([0, 1]), 48)
    assert ranked.keyframes.tolist() == [1, 0]
    assert ranked.evidence[1] == 0
    assert ranked.observations.tolist() == [list(range(9)), [-1] * 9]
