"""How exactly features match: mean matching accuracy on homographies (S2DNet, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from dense_reloc_ros.evaluation.benchmarks.homographies import HomographyPair, transfer
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.localization.place_localizer import DEFAULT_TEMPERATURES
from dense_reloc_ros.mapping.keypoints import detect_corners
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.pose.reprojection import correspondences

KEYPOINTS = 500
"""Corners of the source image, found as a map's are."""
THRESHOLDS = (1.0, 3.0, 5.0)
"""Pixels; a match with a smaller error is right."""
CYCLIC_PIXELS = 3.0
"""Largest distance between a keypoint and where its match leads back to (thesis A.2.1.1).

Half the diagonal of a cell of 4 pixels; the thesis asks for 1 pixel, of features at every pixel.
"""


class MatchingResult(BaseModel):
    """How exactly the features of a network match."""

    model_config = ConfigDict(frozen=True)

    network: str
    device: str
    level: str
    """Of light in the target images."""
    cyclic: bool
    """Whether only matches that lead back to their keypoint are kept."""
    pairs: int
    matches: float
    """Mean number of keypoints a pair that are matched (and kept)."""
    keypoints: float
    """Mean number of keypoints a pair whose place is in the target image."""
    accuracy: dict[str, float]
    """Mean over the pairs of the share of matches with an error up to 1, 3, 5 pixels.

    A pair without a match counts as 0.
    """


@dataclass(frozen=True)
class PairErrors:
    """Of the keypoints (N,) of one pair."""

    pixels: NDArray[np.float64]
    """How far the match is off; infinite without one."""
    leads_back: NDArray[np.bool_]


def matching_accuracy(
    extractor: FeatureExtractor, pairs: Iterable[HomographyPair], level: str
) -> list[MatchingResult]:
    """The accuracy without and with the cyclic check; `level` names the light for people.

    Raises:
        InputError: an image that cannot be read.
    """
    errors = [match_pair(extractor, pair) for pair in pairs]
    results = []
    for cyclic in (False, True):
        kept = [pair.pixels[pair.leads_back] if cyclic else pair.pixels for pair in errors]
        results.append(
            MatchingResult(
                network=extractor.signature.network,
                device=str(extractor.device),
                level=level,
                cyclic=cyclic,
                pairs=len(errors),
                matches=float(np.mean([np.isfinite(k).sum() for k in kept])),
                keypoints=float(np.mean([len(pair.pixels) for pair in errors])),
                accuracy={
                    f"{threshold:g}px": mean_accuracy(kept, threshold) for threshold in THRESHOLDS
                },
            )
        )
    return results


def mean_accuracy(errors: Sequence[NDArray[np.float64]], threshold: float) -> float:
    """The mean over the pairs of the share of errors (N,) up to a threshold, 0 where N is 0."""
    return float(np.mean([(e <= threshold).mean() if len(e) else 0.0 for e in errors]))


@torch.inference_mode()
def match_pair(extractor: FeatureExtractor, pair: HomographyPair) -> PairErrors:
    """Matches the corners of the source whose place is in the target."""
    height, width = pair.source.shape[:2]
    everywhere = np.ones((height, width), dtype=np.bool_)
    keypoints = detect_corners(pair.source, everywhere, KEYPOINTS)
    truth = transfer(pair.homography, keypoints.astype(np.float64))
    visible = ((truth >= 0) & (truth <= [width - 1, height - 1])).all(axis=1)
    keypoints, truth = keypoints[visible], truth[visible]
    source = extractor(image_to_tensor(pair.source, extractor.device))
    target = extractor(image_to_tensor(pair.target, extractor.device))
    start = torch.from_numpy(keypoints).to(extractor.device)
    matched = match(source, start, target)
    back = match(target, matched, source)
    distance = (matched.cpu().double() - torch.from_numpy(truth)).norm(dim=-1)
    cycle = (back - start).norm(dim=-1)
    return PairErrors(
        pixels=distance.nan_to_num(nan=torch.inf).numpy(),
        leads_back=(cycle < CYCLIC_PIXELS).cpu().numpy(),
    )


def match(source: DenseFeatures, pixels: Tensor, target: DenseFeatures) -> Tensor:
    """Where pixels (N, 2) of the source lie in the target, (N, 2), nan where nowhere.

    As for RE: the best cell of the coarse level, then of a window of the fine one around it, each
    to a fraction of a cell. Pixels that are nan match nowhere.
    """
    known = pixels.isfinite().all(-1)
    where = pixels.nan_to_num(0.0)
    coarse, fine = target.levels["coarse"], target.levels["fine"]
    coarse_descriptors = source.levels["coarse"].sample(where)
    problem = PoseProblem(
        points=pixels.new_zeros(len(pixels), 3),
        intrinsics=pixels.new_zeros(4),
        log_coarse=match_all(coarse_descriptors, coarse, DEFAULT_TEMPERATURES["coarse"]),
        coarse_descriptors=coarse_descriptors,
        coarse_level=coarse,
        fine_descriptors=source.levels["fine"].sample(where),
        fine_level=fine,
        fine_temperature=DEFAULT_TEMPERATURES["fine"],
    )
    matched, found = correspondences(problem, NreConfiguration().window)
    return torch.where((known & found)[:, None], matched, torch.nan)
