"""Poses on a floor against the conditional of a Gaussian, a grid of poses, and samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.planar import Floor, on_floor, planar_pose, upright_transform
from dense_reloc_ros.geometry.se3 import pose_error, rigid

FREE, HELD = [0, 1, 5], [2, 3, 4]
DEVIATIONS = np.array([0.05, 0.03, 0.08, 0.02, 0.03, 0.015])
FLOOR = Floor(height=0.3, deviation_m=0.02, deviation_rad=0.01)


def correlated(seed: int) -> FloatArray:
    """A covariance (6, 6) whose errors have much in common."""
    generator = np.random.default_rng(seed)
    factor = generator.normal(size=(6, 8))
    correlation = factor @ factor.T
    scale = DEVIATIONS / np.sqrt(np.diag(correlation))
    return correlation * np.outer(scale, scale)


def moved(pose: FloatArray, change: FloatArray) -> FloatArray:
    """A pose moved along and turned about the axes of the map."""
    turn = Rotation.from_rotvec(change[3:]).as_matrix()
    return rigid(turn @ pose[:3, :3], pose[:3, 3] + change[:3])


def free_of(pose: FloatArray) -> FloatArray:
    """x, y and yaw of an upright pose."""
    return np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])


def with_deviations(covariance: FloatArray, floor: Floor) -> FloatArray:
    added = np.diag([0, 0, floor.deviation_m**2, *[floor.deviation_rad**2] * 2, 0])
    return covariance + added


@pytest.mark.parametrize("seed", range(5))
def test_near_the_floor_it_is_the_conditional_of_a_gaussian(seed: int) -> None:
    truth = planar_pose((4.0, -2.0, 2.5), FLOOR.height)
    off = 1e-4 * np.random.default_rng(seed).normal(size=6)
    covariance = correlated(seed)
    found = on_floor(moved(truth, off), covariance, FLOOR)

    spread = with_deviations(covariance, FLOOR)
    gain = spread[np.ix_(FREE, HELD)] @ np.linalg.inv(spread[np.ix_(HELD, HELD)])
    conditional = free_of(truth) + off[FREE] - gain @ off[HELD]
    left = spread[np.ix_(FREE, FREE)] - gain @ spread[np.ix_(HELD, FREE)]
    np.testing.assert_allclose(free_of(found.T_map_base), conditional, atol=1e-7)
    np.testing.assert_allclose(found.covariance[np.ix_(FREE, FREE)], left, rtol=1e-3, atol=1e-8)
    expected = off[HELD] @ np.linalg.solve(spread[np.ix_(HELD, HELD)], off[HELD])
    assert found.distance == pytest.approx(expected, rel=1e-3)


def test_a_height_that_errs_with_x_moves_x() -> None:
    """Of two errors that always come together, the one that is seen tells the other."""
    covariance = np.diag([0.01, 0.01, 0.01, 0.001, 0.001, 0.001])
    covariance[0, 2] = covariance[2, 0] = 0.009
    floor = Floor(0.0, 1e-6, 1e-6)
    found = on_floor(planar_pose((1.0, 2.0, 0.0), 0.1), covariance, floor)
    np.testing.assert_allclose(found.T_map_base, planar_pose((0.91, 2.0, 0.0), 0.0), atol=1e-8)
    assert found.covariance[0, 0] == pytest.approx(0.01 - 0.0081, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_most_probable_of_all_poses_on_the_floor(seed: int) -> None:
    """Against ever finer grids of x, y and yaw, with a tilt that is not small."""
    measured = moved(
        planar_pose((1.0, 2.0, -2.0), FLOOR.height), np.array([0.1, 0.0, 0.2, 0.3, -0.2, 0.1])
    )
    information = np.linalg.inv(with_deviations(correlated(seed), FLOOR))

    def costs(free: FloatArray) -> FloatArray:
        turned = Rotation.from_matrix(measured[:3, :3]) * Rotation.from_euler("z", -free[:, 2:])
        errors = np.zeros((len(free), 6))
        errors[:, :2] = measured[:2, 3] - free[:, :2]
        errors[:, 2] = measured[2, 3] - FLOOR.height
        errors[:, 3:] = turned.as_rotvec()
        return np.einsum("ni,ij,nj->n", errors, information, errors)

    best, width = free_of(measured), 0.8
    steps = np.stack(np.meshgrid(*[np.linspace(-1, 1, 17)] * 3), axis=-1).reshape(-1, 3)
    for _ in range(24):
        grid = best + width * steps
        best, width = grid[costs(grid).argmin()], width / 2
    found = on_floor(measured, correlated(seed), FLOOR)
    np.testing.assert_allclose(free_of(found.T_map_base), best, atol=1e-6)
    assert found.distance == pytest.approx(costs(best[None])[0], rel=1e-9)


def test_errors_and_distances_are_as_large_as_they_are_said_to_be() -> None:
    """Of robots on a floor that is not quite even, measured with the covariance that is said."""
    generator = np.random.default_rng(11)
    covariance = correlated(3)
    roots = np.linalg.cholesky(covariance), np.sqrt(np.diag(with_deviations(0 * covariance, FLOOR)))
    errors, distances = [], []
    for _ in range(2000):
        truth = planar_pose(generator.normal(size=3), FLOOR.height)
        tilted = moved(truth, roots[1] * generator.normal(size=6))
        found = on_floor(moved(tilted, roots[0] @ generator.normal(size=6)), covariance, FLOOR)
        error = free_of(found.T_map_base) - free_of(truth)
        error[2] = np.arctan2(np.sin(error[2]), np.cos(error[2]))
        of_free = found.covariance[np.ix_(FREE, FREE)]
        errors.append(error @ np.linalg.solve(of_free, error))
        distances.append(found.distance)
    for values in (errors, distances):  # the means of 2000 are 3 with a deviation of 0.055
        assert np.mean(values) == pytest.approx(3.0, abs=0.2)
        assert np.mean(np.array(values) > chi2.ppf(0.95, 3)) == pytest.approx(0.05, abs=0.015)


small = st.floats(-0.3, 0.3)
far = st.floats(-100, 100)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[small] * 6), st.tuples(far, far, st.floats(-3.1, 3.1)), st.integers(0, 50))
def test_whatever_is_measured(off: tuple[float, ...], place: tuple[float, ...], seed: int) -> None:
    """z, roll and pitch are the floor's, nothing gets less certain, twice is once, and the axes of
    the map may lie anywhere in the plane."""
    covariance = correlated(seed)
    measured = moved(planar_pose((1.0, 2.0, 0.5), FLOOR.height), np.array(off))
    found = on_floor(measured, covariance, FLOOR)
    assert found.T_map_base[2, 3] == FLOOR.height
    assert (found.T_map_base[2, :3] == [0, 0, 1]).all()
    assert np.linalg.eigvalsh(found.covariance).min() > 0
    np.testing.assert_array_equal(
        found.covariance[np.ix_(HELD, HELD)],
        np.diag(np.square([FLOOR.deviation_m, FLOOR.deviation_rad, FLOOR.deviation_rad])),
    )

    again = on_floor(found.T_map_base, found.covariance, FLOOR)
    np.testing.assert_allclose(again.T_map_base, found.T_map_base, atol=1e-9)
    np.testing.assert_allclose(again.covariance, found.covariance, rtol=1e-6, atol=1e-12)
    assert again.distance == pytest.approx(0.0, abs=1e-9)

    turn = planar_pose(place, 0.0)
    axes = np.kron(np.eye(2), turn[:3, :3])
    elsewhere = on_floor(turn @ measured, axes @ covariance @ axes.T, FLOOR)
    np.testing.assert_allclose(elsewhere.T_map_base, turn @ found.T_map_base, atol=1e-7)
    assert elsewhere.distance == pytest.approx(found.distance, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_floor_makes_nothing_less_certain(seed: int) -> None:
    truth, covariance = planar_pose((1.0, 2.0, 0.5), FLOOR.height), correlated(seed)
    left = on_floor(truth, covariance, FLOOR).covariance[np.ix_(FREE, FREE)]
    gained = covariance[np.ix_(FREE, FREE)] - left
    assert np.linalg.eigvalsh(gained).min() > 0


def test_the_tilt_of_a_camera_ahead_is_told_from_its_height() -> None:
    """A camera 1 m ahead of the base whose pitch errs most: its error is found in z of the base."""
    T_base_camera = planar_pose((1.0, 0.0, 0.0), 0.5)
    covariance = np.diag([1e-6, 1e-6, 1e-6, 1e-6, 0.01, 1e-6])
    tilted = moved(T_base_camera, np.array([0.0, 0.0, 0.0, 0.0, 0.05, 0.0]))
    measured = base_pose(tilted, covariance, np.linalg.inv(T_base_camera))
    found = on_floor(*measured, Floor(0.0, 0.001, 0.001))
    assert pose_error(found.T_map_base, np.eye(4)).translation < 2e-3
    assert abs(measured[0][2, 3]) > 0.04


def test_the_odometry_is_placed_upright() -> None:
    T_map_base = planar_pose((3.0, -1.0, 2.0), 0.1)
    level = planar_pose((5.0, 5.0, -1.0), 0.1)
    T_map_odom = upright_transform(T_map_base, level)
    np.testing.assert_allclose(T_map_odom @ level, T_map_base, atol=1e-12)
    assert T_map_odom[2, 3] == pytest.approx(0.0)

    tilted = moved(level, np.array([0.0, 0.0, 0.02, 0.03, -0.02, 0.0]))
    T_map_odom = upright_transform(T_map_base, tilted)
    np.testing.assert_array_equal(T_map_odom[2, :3], [0, 0, 1])
    base = T_map_odom @ tilted
    np.testing.assert_allclose(base[:3, 3], T_map_base[:3, 3], atol=1e-12)
    assert pose_error(base, T_map_base).rotation == pytest.approx(np.hypot(0.03, 0.02), rel=0.02)
