"""Re-ranking: do the places that a keyframe shows appear anywhere in the query?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.retrieval.index import LEVEL
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.scene.scene_map import SceneMap

TINY = 1e-37
"""In place of sums that underflow."""


def rank_by_evidence(
    features: DenseFeatures, scene_map: SceneMap, keyframes: NDArray[np.int64], most: int
) -> RankedKeyframes:
    """Keyframes (N,) sorted by local evidence, best first.

    That is the mean over some of a keyframe's observations of the highest correlation of their
    descriptor in the query. Where a keyframe has no more than `most`, all are used.
    """
    if not len(keyframes):
        return RankedKeyframes.none()
    query = query_places(features)
    arrays = scene_map.arrays
    rows, used = spread_rows(arrays.offsets[keyframes], arrays.counts(keyframes), most)
    descriptors = scene_map.descriptors[LEVEL][torch.from_numpy(rows)].to(query)
    best = (descriptors @ query).amax(1).cpu().numpy()
    is_used = np.arange(max(used)) < used[:, None]
    numbers = np.full(is_used.shape, -1, np.int64)
    correlations = np.zeros(is_used.shape, np.float32)
    numbers[is_used], correlations[is_used] = rows, best
    evidence = correlations.sum(1) / np.maximum(used, 1)
    order = np.argsort(-evidence, kind="stable")
    return RankedKeyframes(
        torch.from_numpy(keyframes[order]),
        torch.from_numpy(evidence[order].astype(np.float32)),
        numbers[order],
        correlations[order],
    )


def spread_rows(
    starts: NDArray[np.int64], counts: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of up to `most` of each list's `counts` (N,) from `starts` (N,) on, and how many (N,).

    They are spread evenly over each list, the same ones every time.
    """
    used = np.minimum(counts, most)
    number = np.arange(used.sum()) - np.repeat(np.cumsum(used) - used, used)
    step = (counts - 1).clip(0) / (used - 1).clip(1)
    return np.repeat(starts, used) + np.rint(np.repeat(step, used) * number).astype(np.int64), used


def distinctiveness(
    features: DenseFeatures, scene_map: SceneMap, observations: Tensor, temperature: float
) -> Tensor:
    """ln of the highest probability (N,) that observations (N,) reach anywhere in the query.

    High where a descriptor matches one place much better than all others; a high correlation alone
    says little, as plain walls correlate with each other everywhere.
    """
    query = query_places(features)
    descriptors = scene_map.descriptors[LEVEL][observations].to(query)
    return torch.log_softmax(descriptors @ query / temperature, dim=1).amax(1)


def mutual_distinctiveness(
    features: DenseFeatures, scene_map: SceneMap, observations: Tensor, temperature: float
) -> Tensor:
    """ln of the highest probability (N,) that an observation and a cell are each other's match.

    The product of the softmax over the query's cells and of that over the observations (N,): the
    dual softmax of LoFTR (Sun et al., CVPR 2021). Among few cells, an observation that is out of
    sight resembles one more than the others by chance; there are better observations for that cell.
    """
    return mutual_cells(features, scene_map, observations, temperature)[0]


def mutual_cells(
    features: DenseFeatures, scene_map: SceneMap, observations: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """The mutual distinctiveness (N,) of observations (N,), and the cell (N, 2), column and row.

    Of the coarse level at its full resolution: where an observation reaches it.
    """
    level = features.levels[LEVEL].values[0].float()
    query = level.flatten(1)
    descriptors = scene_map.descriptors[LEVEL][observations].to(query)
    correlation = (descriptors / temperature) @ query
    # They are 1 / temperature at most, so that no maximum is needed to keep their powers finite.
    powers = (correlation - 1 / temperature).exp_()
    of_cells, of_observations = (powers.sum(d).clamp(min=TINY).log() for d in (0, 1))
    # In place: most of the time would go into new memory.
    best = correlation.mul_(2).sub_(of_cells).max(1)
    quality = best.values - of_observations - 2 / temperature
    width = level.shape[-1]
    return quality, torch.stack([best.indices % width, best.indices // width], dim=1)


def query_places(features: DenseFeatures) -> Tensor:
    """Descriptors (C, N) of the coarse level of one image at half its resolution."""
    return normalize(avg_pool2d(features.levels[LEVEL].values, 2)[0].flatten(1), dim=0)
