"""Retrieval, all of it: the places in the map that a query may show (thesis A.2.1.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.retrieval.local_evidence import rank_by_evidence
from dense_reloc_ros.scene.scene_map import SceneMap


def retrieve_places(
    features: DenseFeatures,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    excluded: frozenset[int] = frozenset(),
) -> list[list[int]]:
    """Keyframes that the query may show, as one or more places, the likeliest first.

    Those `excluded` are not among them: so the map's own images can be used as queries.
    """
    ranked, _ = ranked_keyframes(features, scene_map, options, excluded)
    if not len(ranked):
        return []
    best = distinct_views(scene_map, ranked.tolist(), options.keyframes, options.baseline_share)
    return covisibility_clusters(scene_map, best, options.common_points)[: options.clusters]


def ranked_keyframes(
    features: DenseFeatures,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    excluded: frozenset[int] = frozenset(),
) -> tuple[Tensor, Tensor]:
    """The retrieved keyframes (N,), but those excluded, with their evidence (N,), best first."""
    candidates = nearest_keyframes(
        features, scene_map.retrieval, options.descriptor, options.candidates + len(excluded)
    )
    candidates = candidates[[k not in excluded for k in candidates.tolist()]]
    if not len(candidates):
        return candidates, torch.zeros(0)
    return rank_by_evidence(features, scene_map, candidates, options.evidence_points)


def place_evidence(
    features: DenseFeatures,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    excluded: frozenset[int] = frozenset(),
) -> float:
    """How much an image looks like the keyframe that it resembles most, but those excluded."""
    _, evidence = ranked_keyframes(features, scene_map, options, excluded)
    return float(evidence[0]) if len(evidence) else 0.0
