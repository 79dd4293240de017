"""The global descriptors of a map's images, and the keyframes nearest to a query's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.vlad import train_vocabulary as train_vlad_vocabulary
from dense_reloc_ros.features.vlad import vlad

LEVEL = "coarse"
"""The dense level that VLAD describes and local evidence is looked for in."""
VOCABULARY = "vocabulary."
"""Begins the names of what is stored once for a map."""
WORDS = 32
SAMPLES_PER_IMAGE = 300


def train_vocabulary(features: Iterable[DenseFeatures], seed: int = 0) -> dict[str, Tensor]:
    """The VLAD vocabulary, learned from features of some of the map's images."""
    generator = torch.Generator().manual_seed(seed)
    samples = []
    for one in features:
        local = local_descriptors(one)
        chosen = torch.randperm(len(local), generator=generator)[:SAMPLES_PER_IMAGE]
        samples.append(local[chosen.to(local.device)])
    return {"vlad": train_vlad_vocabulary(torch.cat(samples), WORDS, seed)}


def describe(features: DenseFeatures, vocabulary: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The global descriptors by name, each (D,), L2-normalized, of one image's features."""
    local = local_descriptors(features)
    return {
        "gem": features.global_descriptor[0],
        "vlad": vlad(local, vocabulary["vlad"].to(local)),
    }


def local_descriptors(features: DenseFeatures) -> Tensor:
    """Descriptors (N, C) of the coarse level at half its resolution."""
    return avg_pool2d(features.levels[LEVEL].values, 2)[0].flatten(1).T


def ready_to_search(retrieval: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """What a map stores to find keyframes, on the device: it is looked at for every image.

    Global descriptors are in half precision. That is half the memory, and the time of a search,
    which is to read all of it.
    """
    return {
        name: value.to(device) if name.startswith(VOCABULARY) else value.to(device, torch.float16)
        for name, value in retrieval.items()
    }


def similarities(query: Tensor, keyframes: Tensor) -> Tensor:
    """Cosines (K,) between a query's global descriptor (D,) and all keyframes' (K, D)."""
    return keyframes.to(query.device) @ query.to(keyframes.dtype)


def nearest_keyframes(
    features: DenseFeatures, retrieval: Mapping[str, Tensor], descriptor: str, count: int
) -> Tensor:
    """Up to `count` indices of the keyframes most like a query, best first; exact search.

    Args:
        features: of the query.
        retrieval: the map's global descriptors (K, D) by name, and vocabularies.
        descriptor: the name of the one to compare.
        count: how many keyframes.

    Raises:
        ConfigurationError: the map has no such descriptor.
    """
    vocabulary = {
        name.removeprefix(VOCABULARY): value
        for name, value in retrieval.items()
        if name.startswith(VOCABULARY)
    }
    described = describe(features, vocabulary)
    if descriptor not in described or descriptor not in retrieval:
        raise ConfigurationError(
            f"the map has no global descriptor '{descriptor}' (known: {', '.join(described)})"
        )
    scores = similarities(described[descriptor], retrieval[descriptor])
    return scores.topk(min(count, len(scores))).indices
