"""Which keyframes are nearest, against sorting all of them."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.retrieval.index import (
    LEVEL,
    describe,
    local_descriptors,
    nearest_keyframes,
    similarities,
    train_vocabulary,
)


def features(seed: int) -> DenseFeatures:
    generator = torch.Generator().manual_seed(seed)
    values = normalize(torch.randn(1, 6, 12, 16, generator=generator), dim=1)
    pooled = normalize(torch.randn(1, 5, generator=generator), dim=1)
    return DenseFeatures({LEVEL: FeatureLevel(8, 3.5, values)}, pooled)


@pytest.fixture
def retrieval() -> dict[str, torch.Tensor]:
    """What a map of 30 keyframes stores."""
    vocabulary = train_vocabulary(features(seed) for seed in range(4))
    described = [describe(features(seed), vocabulary) for seed in range(30)]
    stored = {name: torch.stack([one[name] for one in described]) for name in ("gem", "vlad")}
    return stored | {f"vocabulary.{name}": value for name, value in vocabulary.items()}


def test_local_descriptors_are_means_of_two_by_two_cells():
    local = local_descriptors(features(0))
    values = features(0).levels[LEVEL].values[0]
    assert local.shape == (6 * 8, 6)
    torch.testing.assert_close(local[8 + 3], values[:, 2:4, 6:8].mean((1, 2)))


def test_similarities_are_cosines():
    keyframes = normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    expected = torch.nn.functional.cosine_similarity(keyframes[2][None], keyframes)
    torch.testing.assert_close(similarities(3 * keyframes[2] / 3, keyframes), expected)


@pytest.mark.parametrize("descriptor", ["gem", "vlad"])
def test_the_nearest_come_first(retrieval, descriptor):
    query = features(7)
    vocabulary = {"vlad": retrieval["vocabulary.vlad"]}
    described = describe(query, vocabulary)[descriptor]
    distances = (retrieval[descriptor] - described).norm(dim=1)
    found = nearest_keyframes(query, retrieval, descriptor, 6)
    assert found[0] == 7
    assert found.tolist() == distances.argsort()[:6].tolist()


def test_no_more_keyframes_than_there_are(retrieval):
    found = nearest_keyframes(features(0), retrieval, "gem", 100)
    assert sorted(found.tolist()) == list(range(30))


def test_a_descriptor_that_the_map_lacks_is_named(retrieval):
    with pytest.raises(ConfigurationError, match="'netvlad'"):
        nearest_keyframes(features(0), retrieval, "netvlad", 3)
    del retrieval["gem"]
    with pytest.raises(ConfigurationError, match="'gem'"):
        nearest_keyframes(features(0), retrieval, "gem", 3)
