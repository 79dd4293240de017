"""What constraints from localized images make of odometry that drifts, also if some are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.closing_results import (
    BOTH,
    CLOSED,
    CLOSED_SWITCHABLE,
    CONSISTENT,
    ODOMETRY,
    PLAIN,
    SWITCHABLE,
    WITHOUT_WRONG,
    ClosingResult,
)
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.trajectory_error import trajectory_error
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise, drifting_odometry
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.consistency import consistent_constraints
from dense_reloc_ros.loop_closure.constraint import MapConstraint
from dense_reloc_ros.loop_closure.pose_graph import Kernel, close_trajectory
from dense_reloc_ros.stamps import NANOSECONDS

WRONG_DISTANCE = 2.0
"""Metres between the origins of the map and of the wrong one, where none is given."""


@dataclass(frozen=True)
class Drift:
    """Of the odometry that is simulated along the true path."""

    share: float = 0.02
    """Of each step's length and angle."""
    gyro_bias: float = 0.1
    """Degrees per second."""

    @property
    def noise(self) -> OdometryNoise:
        """What a SLAM that knows its odometry would assume of it."""
        return OdometryNoise(self.share, self.share, float(np.radians(self.gyro_bias)))


@dataclass(frozen=True)
class ClosedPath:
    """The results of one seed with the trajectories that they are about."""

    truth: Trajectory
    trajectories: Mapping[str, Trajectory]
    """T_map_camera by way."""
    constraints: Sequence[MapConstraint]
    """The wrong ones among them."""
    wrong: frozenset[int]
    """Indices into `constraints`."""
    results: Sequence[ClosingResult]

    @property
    def metres(self) -> float:
        """Length of the true path."""
        steps = np.diff(self.truth.poses[:, :3, 3], axis=0)
        return float(np.linalg.norm(steps, axis=1).sum())


def true_path(records: Sequence[FrameRecord]) -> Trajectory:
    """The true poses of some frames; raises InputError for fewer than two."""
    known = {r.stamp: r.ground_truth for r in records if r.ground_truth is not None}
    if len(known) < 2:
        raise InputError("a path takes two frames with true poses: --ground-truth TUM")
    return Trajectory.from_poses(list(known), list(known.values()))


def walked(records: Sequence[FrameRecord], laps: int) -> list[FrameRecord]:
    """The frames in the order of time, forth and back `laps` times, each time with a new stamp."""
    forth = sorted(records, key=lambda record: record.stamp)
    way = list(forth)
    for lap in range(1, laps):
        way += (forth[:-1][::-1], forth[1:])[lap % 2 == 0]
    gaps = [abs(there.stamp - here.stamp) for here, there in pairwise(way)]
    stamps = accumulate(gaps, initial=forth[0].stamp)
    return [replace(record, stamp=stamp) for record, stamp in zip(way, stamps, strict=True)]


def constraints_of(records: Sequence[FrameRecord]) -> list[MapConstraint]:
    """Of the frames with a published pose and a true one."""
    return [
        MapConstraint(r.stamp, r.T_map_camera, r.covariance, r.confidence or 0.0)
        for r in records
        if r.T_map_camera is not None and r.covariance is not None and r.ground_truth is not None
    ]


def close_path(
    truth: Trajectory,
    lead_in: Trajectory | None,
    constraints: Sequence[MapConstraint],
    wrong_poses: Mapping[int, FloatArray] | None,
    drift: Drift,
    wrong_share: float,
    seed: int,
) -> ClosedPath:
    """Simulates odometry along the true path, and closes it in every way.

    It begins at the first of the true poses of a lead-in, which is not closed. `wrong_poses` are
    poses (4, 4) in another map by stamp; None: those that the same map would give if its origin
    were elsewhere, so that they agree with each other.

    Raises:
        InputError: there are no constraints, or no wrong poses to make some of them wrong.
        ConfigurationError: GTSAM is not installed.
    """
    alone, odometry = _odometry(truth, lead_in, drift, seed)
    mixed, wrong = _with_wrong_ones(constraints, wrong_poses, wrong_share, seed)
    right = [one for index, one in enumerate(mixed) if index not in wrong]
    kept = consistent_constraints(mixed, odometry, drift.noise)
    agreeing = [one for one, is_kept in zip(mixed, kept, strict=True) if is_kept]
    closings: list[tuple[str, Sequence[MapConstraint], Kernel]] = [
        (CLOSED, constraints, "none"),
        (CLOSED_SWITCHABLE, constraints, "switchable"),
        (WITHOUT_WRONG, right, "none"),
        (PLAIN, mixed, "none"),
        (SWITCHABLE, mixed, "switchable"),
        (CONSISTENT, agreeing, "none"),
        (BOTH, agreeing, "switchable"),
    ]
    trajectories = {ODOMETRY: alone}
    counts = {ODOMETRY: (0, 0)}
    wrong_ones = [mixed[index] for index in wrong]
    for way, used, kernel in closings:
        trajectories[way] = close_trajectory(odometry, used, drift.noise, kernel)
        counts[way] = len(used), sum(any(one is bad for bad in wrong_ones) for one in used)
    results = [
        ClosingResult(
            seed=seed,
            way=way,
            constraints=counts[way][0],
            wrong=counts[way][1],
            error=trajectory_error(truth.poses, trajectory.poses),
        )
        for way, trajectory in trajectories.items()
    ]
    return ClosedPath(truth, trajectories, mixed, frozenset(wrong), results)


def _odometry(
    truth: Trajectory, lead_in: Trajectory | None, drift: Drift, seed: int
) -> tuple[Trajectory, Trajectory]:
    """What it says of T_map_camera if it knows its first pose, and of T_odom_camera."""
    stamps, poses = truth.stamps, truth.poses
    if lead_in is not None:
        stamps = np.concatenate([lead_in.stamps, stamps])
        poses = np.concatenate([lead_in.poses, poses])
    bias = float(np.radians(drift.gyro_bias))
    drifted = drifting_odometry(poses, drift.share, seed, bias, stamps / NANOSECONDS)
    T_odom_camera = drifted[-len(truth) :]
    alone = Trajectory(truth.stamps, poses[0] @ T_odom_camera)
    return alone, Trajectory(truth.stamps, T_odom_camera)


def _with_wrong_ones(
    constraints: Sequence[MapConstraint],
    wrong_poses: Mapping[int, FloatArray] | None,
    share: float,
    seed: int,
) -> tuple[list[MapConstraint], list[int]]:
    """The constraints, a share of them with wrong poses but their covariances; which these are."""
    rng = np.random.default_rng([seed, 4])
    if wrong_poses is None:
        T_wrong_map = _elsewhere(rng)
        wrong_poses = {one.stamp: T_wrong_map @ one.T_map_body for one in constraints}
    possible = [index for index, one in enumerate(constraints) if one.stamp in wrong_poses]
    count = min(round(share * len(constraints)), len(possible))
    if share > 0 and not count:
        raise InputError(
            "no frame can get a wrong constraint: too few are localized, or the wrong map matches "
            "none of them"
        )
    wrong = sorted(rng.choice(possible, count, replace=False).tolist()) if count else []
    mixed = list(constraints)
    for index in wrong:
        one = mixed[index]
        mixed[index] = MapConstraint(
            one.stamp, wrong_poses[one.stamp], one.covariance, one.confidence
        )
    return mixed, wrong


def _elsewhere(rng: np.random.Generator) -> FloatArray:
    """The pose of the map's frame in that of a map whose origin is elsewhere; z is up."""
    direction = rng.uniform(0, 2 * np.pi)
    shift = WRONG_DISTANCE * np.array([np.cos(direction), np.sin(direction), 0.0])
    turn = Rotation.from_euler("z", rng.uniform(np.pi / 6, 2 * np.pi - np.pi / 6))
    return rigid(turn.as_matrix(), shift)


def close_paths(
    records: Sequence[FrameRecord],
    in_wrong_map: Sequence[FrameRecord] | None,
    drift: Drift,
    wrong_share: float,
    seeds: Sequence[int],
    lead_in: Trajectory | None = None,
) -> Iterator[ClosedPath]:
    """`close_path` for each seed, with the frames' published poses as constraints.

    Of a lead-in, those poses count that are before the frames. `in_wrong_map` are the same frames
    in another map, with or without poses there.
    """
    truth, constraints = true_path(records), constraints_of(records)
    wrong_poses = None
    if in_wrong_map is not None:
        wrong_poses = {r.stamp: r.T_map_camera for r in in_wrong_map if r.T_map_camera is not None}
    if lead_in is not None:
        before = lead_in.stamps < truth.stamps[0]
        lead_in = Trajectory(lead_in.stamps[before], lead_in.poses[before])
    for seed in seeds:
        yield close_path(truth, lead_in, constraints, wrong_poses, drift, wrong_share, seed)
