"""Fits the weights that confidences of sparse-to-dense methods ship with.

    dense-reloc map build ... --store-images --output maps/kitchen   # and other scenes
    python tools/fit_confidence.py maps/* --output dense_reloc_ros/weights/confidence.json

localizes held-out views of each map on the rest of it, and images of the other maps, whose poses
are wrong. Then it fits the logistic regression on all maps, and prints how it does on each map when
fitted on the others: expected calibration error, risk and coverage, and whether covariances hold.
What became of the views is kept in `--cache`: fitting again takes seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import chi2
from tqdm import tqdm

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.metrics.rates import largest_rate
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.calibration.calibrate import held_out_outcomes
from dense_reloc_ros.mapping.calibration.confidence_fit import (
    calibration_error,
    fit_offset,
    fit_weights,
)
from dense_reloc_ros.mapping.calibration.covariance_fit import fit_covariance_factor
from dense_reloc_ros.mapping.calibration.held_out import HeldOut, HeldOutQuery
from dense_reloc_ros.mapping.calibration.outcomes import Outcome, best_estimate, outcome
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap

FOREIGN = 12
"""Images of other maps that are localized on each."""
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)

Scenes = Mapping[str, Sequence[Outcome]]


def main() -> None:
    """Collects, fits and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("maps", type=Path, nargs="+", help="built with --store-images")
    parser.add_argument("--cache", type=Path, default=Path("output/outcomes"))
    parser.add_argument("--output", type=Path, help="file of the weights; none: only report")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    scenes = {path.name: cached(path, arguments.maps, arguments.cache) for path in arguments.maps}
    report(scenes)
    if arguments.output:
        weights = fit_weights(list(scenes.values()))
        arguments.output.write_text(weights.model_dump_json(indent=2) + "\n")


def cached(path: Path, maps: Sequence[Path], cache: Path) -> list[Outcome]:
    """The outcomes of a map, from the cache where they are there."""
    scene_map = load_map(path)
    file = cache / f"{path.name}-{scene_map.information.revision}.json"
    if not file.exists():
        others = [other for other in maps if other != path]
        found = collect(scene_map, others)
        file.write_text(json.dumps([asdict(one) for one in found]))
    stored = json.loads(file.read_text())
    return [Outcome(**{**one, "evidence": PoseEvidence(**one["evidence"])}) for one in stored]


@torch.inference_mode()
def collect(scene_map: SceneMap, others: Sequence[Path]) -> list[Outcome]:
    """What becomes of a map's held-out views and of images of other maps."""
    localizer = _plain_localizer(scene_map)
    assert scene_map.images is not None, "a map without images: build it with --store-images"
    held_out = HeldOut(scene_map, scene_map.images, localizer.extractor)
    _, found = held_out_outcomes(localizer, held_out, lambda items, label: tqdm(items, label))
    for query in foreign_queries(localizer, others):
        best = best_estimate(localizer, query)
        if best is not None:
            found.append(
                replace(
                    outcome(localizer, query, best),
                    depth_share=float("inf"),
                    radians=float("inf"),
                    normalized_error=float("inf"),
                )
            )
    return found


def foreign_queries(
    localizer: SparseToDenseLocalizer, others: Sequence[Path]
) -> Iterator[HeldOutQuery]:
    """Images of other maps."""
    for number in range(FOREIGN if others else 0):
        other = load_map(others[number % len(others)])
        assert other.images is not None, "a map without images: build it with --store-images"
        keyframe = number * other.keyframe_count // FOREIGN
        features = localizer.extractor(image_to_tensor(other.images(keyframe), localizer.device))
        camera = other.cameras[keyframe]
        yield HeldOutQuery(0, frozenset(), features, camera, np.eye(4))


def _plain_localizer(scene_map: SceneMap) -> SparseToDenseLocalizer:
    """With the map's temperatures, but nothing else that was fitted on it."""
    temperatures = scene_map.information.calibration.temperatures
    calibration = MapCalibration(temperatures=temperatures)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    return SparseToDenseLocalizer(
        replace(scene_map, information=information),
        LocalizerConfiguration(),
        torch.device("cpu"),
        DEFAULT_METHOD,
    )


def report(scenes: Scenes) -> None:
    """Prints how confidences and covariances do on each scene when fitted on the others.

    What a map fits on its own views is fitted on one half of them and tested on the other half.
    """
    confidences, is_right, errors = [], [], []
    print(f"{'scene':20} views right calibration error")
    for name, outcomes in scenes.items():
        weights = fit_weights([found for other, found in scenes.items() if other != name])
        ours, truth = [], []
        for fitted, tested in _halves(outcomes):
            offset, factor = fit_offset(weights, fitted), fit_covariance_factor(fitted)
            ours += [weights.confidence(one.evidence, offset) for one in tested]
            truth += [one.is_right for one in tested]
            errors += [one.normalized_error / factor for one in tested if one.is_right]
        error = calibration_error(np.array(ours), np.array(truth))
        print(f"{name:20} {len(truth):5} {sum(truth):5} {error:.3f}")
        confidences += ours
        is_right += truth
    found, truths = np.array(confidences), np.array(is_right)
    print(f"{'all':20} {len(found):5} {truths.sum():5} {calibration_error(found, truths):.3f}")
    _print_risk(found, truths)
    low, high = chi2.ppf([0.025, 0.975], df=6)
    normalized = np.array(errors)
    inside = ((normalized >= low) & (normalized <= high)).mean()
    print(f"NEES within its 95% bounds: {inside:.3f}, not above: {(normalized <= high).mean():.3f}")


def _halves(outcomes: Sequence[Outcome]) -> Iterator[tuple[Sequence[Outcome], Sequence[Outcome]]]:
    yield outcomes[::2], outcomes[1::2]
    yield outcomes[1::2], outcomes[::2]


def _print_risk(confidences: np.ndarray, is_right: np.ndarray) -> None:
    """Wrong poses among those published, and how large their share may be (Clopper, Pearson)."""
    print("least confidence, published, of the right ones, wrong, at most with 95% confidence")
    for threshold in THRESHOLDS:
        published = confidences >= threshold
        wrong, count = int((published & ~is_right).sum()), int(published.sum())
        most = largest_rate(wrong, count)
        recall = (published & is_right).sum() / max(is_right.sum(), 1)
        print(f"{threshold:.2f} {count:6} {recall:.3f} {wrong:4} {most:.4f}")


if __name__ == "__main__":
    main()
