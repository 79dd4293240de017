"""Retrieval, all of it: the places in the map that a query may show (thesis A.2.1.3)."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.retrieval.local_evidence import rank_by_evidence
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
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
    ranked = rank_keyframes(features, scene_map, options, excluded)
    return places_among(ranked, scene_map, options)


def rank_keyframes(
    features: DenseFeatures,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    excluded: frozenset[int] = frozenset(),
) -> RankedKeyframes:
    """The retrieved keyframes, but those excluded."""
    candidates = nearest_keyframes(
        features, scene_map.retrieval, options.descriptor, options.candidates + len(excluded)
    )
    chosen = [keyframe for keyframe in candidates.tolist() if keyframe not in excluded]
    return rank_by_evidence(
        features, scene_map, np.array(chosen, np.int64), options.evidence_points
    )


def places_among(
    ranked: RankedKeyframes, scene_map: SceneMap, options: RetrievalConfiguration
) -> list[list[int]]:
    """The best of ranked keyframes with distinct views, those that see the same together."""
    keyframes = ranked.keyframes.tolist()
    if not keyframes:
        return []
    best = distinct_views(scene_map, keyframes, options.keyframes, options.baseline_share)
    return covisibility_clusters(scene_map, best, options.common_points)[: options.clusters]
