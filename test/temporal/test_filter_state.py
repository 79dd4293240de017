"""The filter's arithmetic against closed forms, batch least squares and its own statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from scipy.stats import chi2
from temporal.moving_body import (
    COVARIANCE,
    DEVIATIONS,
    PERIOD,
    Moment,
    difference,
    fly,
    moved,
    normalized_error,
    stamp_of,
    walk,
)

from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import FilteredPose, PoseFilter

WHITE = FilterConfiguration(common_share=0.0)


def at_x(metres: float) -> np.ndarray:
    return rigid(np.eye(3), np.array([metres, 0.0, 0.0]))


def last_of(configuration: FilterConfiguration, moments: Iterable[Moment]) -> FilteredPose:
    """What a new filter says at the end."""
    pose_filter = PoseFilter(configuration)
    for moment in moments:
        found = pose_filter.update(moment.stamp, moment.measured, COVARIANCE, moment.T_odom_body)
        assert not found.is_outlier
    return found


def test_along_a_line_it_is_the_scalar_filter_of_a_random_walk():
    """Predict: P + (drift * step)²; correct: gain P / (P + R)."""
    rng = np.random.default_rng(0)
    pose_filter, step, variance = PoseFilter(WHITE), 0.3, 1e-4
    mean = spread = None
    for number in range(30):
        measured = step * number + 0.01 * rng.normal()
        found = pose_filter.update(
            stamp_of(number), at_x(measured), variance * np.eye(6), at_x(step * number)
        )
        if mean is None:
            mean, spread = measured, variance
        else:
            mean, spread = mean + step, spread + (WHITE.drift * step) ** 2
            gain = spread / (spread + variance)
            mean, spread = mean + gain * (measured - mean), (1 - gain) * spread
        assert found.T_map_body[0, 3] == pytest.approx(mean, rel=1e-9)
        assert found.covariance[0, 0] == pytest.approx(spread, rel=1e-9)


def test_along_a_line_without_odometry_it_is_the_filter_of_position_and_speed():
    rng = np.random.default_rng(1)
    pose_filter, variance = PoseFilter(WHITE), 1e-4
    transition = np.array([[1.0, PERIOD], [0.0, 1.0]])
    within = np.array([[PERIOD**3 / 3, PERIOD**2 / 2], [PERIOD**2 / 2, PERIOD]])
    state, spread = None, np.diag([variance, WHITE.speed**2])
    for number in range(30):
        measured = 0.7 * number * PERIOD + 0.01 * rng.normal()
        stamp = stamp_of(number)
        found = pose_filter.update(stamp, at_x(measured), variance * np.eye(6), None)
        if state is None:
            state = np.array([measured, 0.0])
        else:
            state = transition @ state
            spread = transition @ spread @ transition.T + WHITE.acceleration**2 * within
            gain = spread[:, 0] / (spread[0, 0] + variance)
            state = state + gain * (measured - state[0])
            spread = spread - np.outer(gain, spread[0])
        # Stamps are whole nanoseconds.
        assert found.T_map_body[0, 3] == pytest.approx(state[0], rel=1e-6)
        assert found.covariance[0, 0] == pytest.approx(spread[0, 0], rel=1e-6)


def assert_is_least_squares(
    found: FilteredPose, residuals: Callable[[np.ndarray], np.ndarray], start: np.ndarray, last: int
) -> None:
    """`residuals` are whitened, of changes of the true states; `last` is where those of the last
    pose begin among them."""
    best = least_squares(residuals, start, method="lm", xtol=1e-14, ftol=1e-14)
    covariance = np.linalg.inv(best.jac.T @ best.jac)[last : last + 6, last : last + 6]
    deviations = np.sqrt(np.diag(covariance))
    assert np.abs(best.x[last : last + 6] / deviations).max() < 1e-2
    scale = np.outer(deviations, deviations)
    np.testing.assert_allclose(found.covariance / scale, covariance / scale, atol=1e-2)


def test_with_odometry_it_ends_where_batch_least_squares_over_all_frames_does():
    """All true poses and common errors at once; turns and oblique covariances included."""
    one = FilterConfiguration()
    moments = list(walk(6, one.drift, np.random.default_rng(3), length=0.4, turn=0.3))
    found = last_of(one, moments)
    kept = np.exp(-0.4 / one.common_distance - 0.3 / one.common_angle)
    odometry = np.repeat([one.drift * 0.4, one.drift * 0.3 + one.heading_drift * 0.4], 3)
    bases = [moment.T_map_body for moment in moments[:-1]] + [found.T_map_body]

    def residuals(values: np.ndarray) -> np.ndarray:
        changes, common = values.reshape(2, len(moments), 6)
        poses = [moved(base, change) for base, change in zip(bases, changes, strict=True)]
        parts = [common[0]]
        for moment, pose, shared in zip(moments, poses, common, strict=True):
            error = difference(pose, moment.measured) / DEVIATIONS
            white = error - np.sqrt(one.common_share) * shared
            parts.append(white / np.sqrt(1 - one.common_share))
        for k in range(len(moments) - 1):
            step = inverse(moments[k].T_odom_body) @ moments[k + 1].T_odom_body
            parts.append(difference(poses[k] @ step, poses[k + 1]) / odometry)
            parts.append((common[k + 1] - kept * common[k]) / np.sqrt(1 - kept**2))
        return np.concatenate(parts)

    start = np.zeros(12 * len(moments))
    assert_is_least_squares(found, residuals, start, 6 * (len(moments) - 1))


def test_without_odometry_it_ends_where_batch_least_squares_over_all_frames_does():
    """All true poses and velocities at once."""
    moments = list(fly(8, WHITE, np.random.default_rng(5)))
    found = last_of(WHITE, moments)
    bases = [moment.T_map_body for moment in moments[:-1]] + [found.T_map_body]
    within = np.array([[PERIOD**3 / 3, PERIOD**2 / 2], [PERIOD**2 / 2, PERIOD]])
    whitening = np.linalg.inv(np.linalg.cholesky(within))
    strength = np.repeat([WHITE.acceleration, WHITE.turn_acceleration], 3)
    usual = np.repeat([WHITE.speed, WHITE.turn_rate], 3)

    def residuals(values: np.ndarray) -> np.ndarray:
        changes, twists = values.reshape(2, len(moments), 6)
        poses = [moved(base, change) for base, change in zip(bases, changes, strict=True)]
        parts = [twists[0] / usual]
        for moment, pose in zip(moments, poses, strict=True):
            parts.append(difference(pose, moment.measured) / DEVIATIONS)
        for k in range(len(moments) - 1):
            place = difference(moved(poses[k], twists[k] * PERIOD), poses[k + 1])
            parts.append(
                (whitening @ (np.array([place, twists[k + 1] - twists[k]]) / strength)).ravel()
            )
        return np.concatenate(parts)

    start = np.zeros(12 * len(moments))
    assert_is_least_squares(found, residuals, start, 6 * (len(moments) - 1))


Moves = Callable[[np.random.Generator], Iterable[Moment]]
HARDLY_CHANGING = FilterConfiguration(common_distance=100.0, common_angle=10.0)
RUNS = 80


def mean_normalized_error(configuration: FilterConfiguration, moves: Moves) -> float:
    """Of the last pose of each run."""
    errors = []
    for run in range(RUNS):
        moments = list(moves(np.random.default_rng(run)))
        errors.append(normalized_error(moments[-1].T_map_body, last_of(configuration, moments)))
    return float(np.mean(errors))


LOW, HIGH = chi2.ppf([0.001, 0.999], 6 * RUNS) / RUNS


@pytest.mark.parametrize(
    ("configuration", "moves"),
    [
        (FilterConfiguration(), lambda rng: walk(25, 0.03, rng)),
        (FilterConfiguration(), lambda rng: walk(25, 0.03, rng, length=0.5, turn=0.2)),
        (FilterConfiguration(), lambda rng: walk(25, 0.0, rng, length=0.0, turn=0.0)),
        (HARDLY_CHANGING, lambda rng: fly(25, HARDLY_CHANGING, rng)),
    ],
    ids=["walking", "running", "standing", "flying"],
)
def test_errors_are_as_large_as_the_covariance_says(configuration, moves):
    assert LOW < mean_normalized_error(configuration, moves) < HIGH


def test_without_a_common_error_standing_still_makes_it_too_sure():
    """What the common error is for: else the mean of correlated errors passes for exact."""
    standing = mean_normalized_error(WHITE, lambda rng: walk(25, 0.0, rng, length=0.0, turn=0.0))
    assert standing > 5 * HIGH


def test_standing_still_leaves_the_common_part_of_the_covariance():
    rng = np.random.default_rng(0)
    root = np.diag(DEVIATIONS) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6)))
    covariance, one = root @ root.T, FilterConfiguration()
    pose_filter = PoseFilter(one)
    for number in range(2000):
        found = pose_filter.update(stamp_of(number), np.eye(4), covariance, np.eye(4))
    np.testing.assert_allclose(
        found.covariance / one.common_share, covariance, rtol=2e-3, atol=1e-7
    )


def test_turns_far_from_the_origin_move_the_body_as_well():
    """What is not known of the heading is not known of the place after a step."""
    one = FilterConfiguration(drift=1e-6, heading_drift=0.0)
    pose_filter = PoseFilter(one)
    pose_filter.update(0, at_x(5.0), COVARIANCE, np.eye(4))
    found = pose_filter.predict(stamp_of(1), at_x(2.0))
    assert found.T_map_body[0, 3] == pytest.approx(7.0)
    expected = COVARIANCE[1, 1] + 2.0**2 * COVARIANCE[5, 5]
    assert found.covariance[1, 1] == pytest.approx(expected, rel=1e-6)
    assert found.covariance[1, 5] == pytest.approx(2.0 * COVARIANCE[5, 5], rel=1e-6)
    assert found.covariance[0, 0] == pytest.approx(COVARIANCE[0, 0], rel=1e-6)


def test_at_constant_velocity_bodies_go_on_and_turn_on():
    pose_filter = PoseFilter(WHITE)
    velocity, turn_rate = np.array([0.6, -0.3, 0.2]), np.array([0.1, 0.5, -0.4])

    def at(seconds: float) -> np.ndarray:
        return rigid(Rotation.from_rotvec(turn_rate * seconds).as_matrix(), velocity * seconds)

    for number in range(30):
        pose_filter.update(stamp_of(number), at(number * PERIOD), 1e-8 * np.eye(6), None)
    found = pose_filter.predict(stamp_of(32), None)
    np.testing.assert_allclose(difference(found.T_map_body, at(32 * PERIOD)), 0, atol=1e-3)
