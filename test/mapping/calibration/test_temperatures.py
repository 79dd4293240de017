"""Temperatures that are fitted on a map's own images, on correspondence maps that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from keyframes_in_a_row import Seeing, image_of, wall_map
from pose.synthetic import View, problem_of, random_view, with_outliers
from scipy.ndimage import map_coordinates

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.place_localizer import DEFAULT_TEMPERATURES
from dense_reloc_ros.mapping.calibration import temperatures
from dense_reloc_ros.mapping.calibration.held_out import HeldOut
from dense_reloc_ros.mapping.calibration.temperatures import (
    COARSE_TEMPERATURES,
    FINE_TEMPERATURES,
    LOST_PIXELS,
    fit_temperatures,
    mean_nre,
    miss_after_refinement,
)
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.pose.problem import PoseProblem


class Matching:
    """A localizer that sees one problem in every keyframe, at its temperature."""

    device = torch.device("cpu")
    configuration = LocalizerConfiguration()

    def __init__(self, view: View, problem: PoseProblem, keyframes: int = 1) -> None:
        pose = torch.from_numpy(inverse(view.T_camera_map.double().numpy()))
        self.scene_map = replace(wall_map(keyframes), keyframe_poses=pose.repeat(keyframes, 1, 1))
        self.temperatures = dict(DEFAULT_TEMPERATURES)
        self.problem = problem

    def retrieve(self, features, excluded):
        return [[0]]

    def match(self, features, keyframes, camera):
        descriptors, level = self.problem.coarse_descriptors, self.problem.coarse_level
        maps = match_all(descriptors, level, self.temperatures["coarse"])
        return torch.arange(len(descriptors)), replace(self.problem, log_coarse=maps)


def fitted_temperatures(localizer: Matching) -> dict[str, float]:
    held_out = HeldOut(localizer.scene_map, image_of, Seeing())
    return fit_temperatures(localizer, held_out, held_out.keyframes)


def test_the_mean_nre_is_that_of_visible_points():
    view = random_view(40, 0)
    problem = with_outliers(view, 0.5, "wrong", 0)
    points = view.points.clone()
    axes = view.T_camera_map[:3, :3]
    points[:5] -= 50 * axes[2]
    points[5:10] += 50 * axes[0]
    maps = problem.log_coarse.double().numpy()
    outlier = np.log(1 + maps[0].size)
    level = problem.coarse_level
    columns, rows = ((view.pixels.double().numpy() - level.offset) / level.stride).T
    inside = (columns >= 0) & (rows >= 0)
    inside &= (columns <= maps.shape[2] - 1) & (rows <= maps.shape[1] - 1)
    inside[:10] = False
    costs = [
        map_coordinates(np.minimum(-maps[n], outlier), [[rows[n]], [columns[n]]], order=1)[0]
        for n in np.flatnonzero(inside)
    ]
    found = mean_nre(replace(problem, points=points), view.T_camera_map)
    assert found == pytest.approx(np.mean(costs), abs=1e-3)


def test_the_coarse_temperature_explains_true_poses_best():
    """The more places are off the higher it is."""
    view = random_view(100, 1)
    off = torch.randn(view.pixels.shape, generator=torch.Generator().manual_seed(1))
    fitted = []
    for pixels in (0.0, 10.0):
        problem = problem_of(view.points, (view.pixels + pixels * off, 1.0))
        localizer = Matching(view, problem)
        fitted.append(fitted_temperatures(localizer)["coarse"])
        costs = {}
        for temperature in COARSE_TEMPERATURES:
            localizer.temperatures["coarse"] = temperature
            costs[temperature] = mean_nre(localizer.match(None, [0], None)[1], view.T_camera_map)
        assert costs[fitted[-1]] == min(costs.values())
    assert fitted[0] < fitted[1]


def test_the_fine_temperature_is_the_highest_that_is_nearly_as_exact_as_any(monkeypatch):
    misses = dict(zip(FINE_TEMPERATURES, (1.0, 0.9, 0.93, 0.95, 0.97, 3.0), strict=True))
    calls: list[float] = []

    def table(localizer, problem, truth, temperature):
        calls.append(temperature)
        return misses[temperature]

    monkeypatch.setattr(temperatures, "miss_after_refinement", table)
    view = random_view(20, 2)
    localizer = Matching(view, with_outliers(view, 0.0, "wrong", 2))
    assert fitted_temperatures(localizer)["fine"] == 0.014
    assert calls == list(FINE_TEMPERATURES)


def test_how_far_a_lost_pose_is_off_does_not_matter(monkeypatch):
    """In the second keyframe every pose is lost, by more at higher temperatures."""

    def miss(localizer, problem, truth, temperature):
        is_second = len(seen) >= len(FINE_TEMPERATURES)
        seen.append(temperature)
        return LOST_PIXELS + 1e4 * temperature if is_second else 1.0

    seen: list[float] = []
    monkeypatch.setattr(temperatures, "miss_after_refinement", miss)
    view = random_view(20, 3)
    localizer = Matching(view, with_outliers(view, 0.0, "wrong", 3), keyframes=2)
    assert fitted_temperatures(localizer)["fine"] == max(FINE_TEMPERATURES)
    assert len(seen) == 2 * len(FINE_TEMPERATURES)


def test_refined_poses_of_clear_maps_miss_by_a_fraction_of_a_pixel():
    view = random_view(100, 4)
    problem = with_outliers(view, 0.0, "wrong", 4)
    localizer = Matching(view, problem)
    truth = view.T_camera_map
    clear = problem.fine_temperature
    assert miss_after_refinement(localizer, problem, truth, clear) < 0.2
    hopeless = replace(problem, log_coarse=torch.full_like(problem.log_coarse, -torch.inf))
    assert miss_after_refinement(localizer, hopeless, truth, clear) == LOST_PIXELS
