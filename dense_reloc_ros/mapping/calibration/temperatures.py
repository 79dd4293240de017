"""The softmax temperatures of correspondence maps."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.localization.place_localizer import DEFAULT_TEMPERATURES
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.calibration.held_out import NEAR, HeldOut
from dense_reloc_ros.pose.nre import refine_fine
from dense_reloc_ros.pose.problem import PoseProblem

LOGGER = logging.getLogger(__name__)
COARSE_TEMPERATURES = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
FINE_TEMPERATURES = (0.005, 0.007, 0.01, 0.014, 0.02, 0.03)
ACCURACY_MARGIN = 1.06
"""A fine temperature may cost this factor of the best accuracy: higher ones bear more blur."""
LOST_PIXELS = 10.0
"""A pose that misses by more is lost; by how much then says nothing about temperatures."""


def fit_temperatures(
    localizer: SparseToDenseLocalizer, held_out: HeldOut, keyframes: Iterable[int]
) -> dict[str, float]:
    """The temperatures of the levels.

    Coarse: the lowest mean NRE (eq. 4.6) at the true poses. Fine: the highest one whose refined
    poses reproject the points nearly as exactly as any.
    """
    costs: dict[float, list[float]] = {t: [] for t in COARSE_TEMPERATURES}
    misses: dict[float, list[float]] = {t: [] for t in FINE_TEMPERATURES}
    for keyframe in keyframes:
        features = held_out.features(keyframe)
        places = localizer.retrieve(features, held_out.stretch(keyframe, NEAR))
        if not places:
            continue
        T_map_camera = localizer.scene_map.keyframe_poses[keyframe]
        truth = se3.inverse_tensor(T_map_camera).float()
        camera = localizer.scene_map.cameras[keyframe]
        for temperature, values in costs.items():
            localizer.temperatures["coarse"] = temperature
            problem = localizer.match(features, places[0], camera)[1]
            values.append(mean_nre(problem, truth))
        localizer.temperatures = DEFAULT_TEMPERATURES.copy()
        problem = localizer.match(features, places[0], camera)[1]
        for temperature, values in misses.items():
            values.append(miss_after_refinement(localizer, problem, truth, temperature))
    if not any(costs.values()):
        LOGGER.warning("no keyframe sees what others see: the map keeps the default temperatures")
        return DEFAULT_TEMPERATURES.copy()
    mean_costs = {t: float(np.mean(values)) for t, values in costs.items()}
    mean_misses = {
        t: float(np.mean(np.minimum(values, LOST_PIXELS))) for t, values in misses.items()
    }
    best = min(mean_misses.values())
    good = [t for t, miss in mean_misses.items() if miss <= ACCURACY_MARGIN * best]
    return {"coarse": min(mean_costs, key=lambda t: mean_costs[t]), "fine": max(good)}


def mean_nre(problem: PoseProblem, T_camera_map: Tensor) -> float:
    """The mean NRE of the points that a pose puts in front of the camera and into the image."""
    pixels, _ = project(T_camera_map[None], problem.points, problem.intrinsics)
    maps = problem.coarse_maps
    cells = maps.cells(pixels[0])
    size = cells.new_tensor([maps.gains.shape[2], maps.gains.shape[1]])
    inside = ((cells >= 0) & (cells <= size - 1)).all(-1)
    return maps.outlier_loss - float(maps.gains_at(pixels)[0, inside].mean().nan_to_num(0.0))


def miss_after_refinement(
    localizer: SparseToDenseLocalizer, problem: PoseProblem, truth: Tensor, temperature: float
) -> float:
    """Mean distance in pixels between points reprojected at the refined and at the true pose."""
    sharper = replace(problem, fine_temperature=temperature)
    found = refine_fine(sharper, truth[None], localizer.configuration.nre)
    if found is None or not len(found.points):
        return LOST_PIXELS
    poses = torch.stack([found.T_camera_map, truth])
    pixels, _ = project(poses, problem.points[found.points], problem.intrinsics)
    return float((pixels[0] - pixels[1]).norm(dim=-1).nan_to_num(LOST_PIXELS).mean())
