"""Trajectories: camera poses by time, TUM files, and what belongs together in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import from_quaternion, rigid, to_quaternion
from dense_reloc_ros.sieve import Sieve
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.whole_file import write_whole

LATEST = 2**63 - 1
"""The latest stamp."""
UNITS = ((10**11, NANOSECONDS), (10**14, 10**6), (10**17, 10**3))
"""Nanoseconds in what numbers below a limit count: the times of our days tell the unit."""
DEFAULT_TOLERANCE = NANOSECONDS // 200
"""How far apart, in nanoseconds, an image and the pose that belongs to it may be stamped (5 ms)."""


@dataclass(frozen=True)
class Trajectory:
    """N camera poses in the order of their time.

    Raises:
        InputError: arrays that do not fit each other, or stamps that do not increase.
    """

    stamps: NDArray[np.int64]
    """(N,) nanoseconds."""
    poses: FloatArray
    """(N, 4, 4) T_map_camera."""

    def __post_init__(self) -> None:
        if self.stamps.ndim != 1 or self.poses.shape != (len(self.stamps), 4, 4):
            raise InputError(
                f"stamps {self.stamps.shape} and poses {self.poses.shape} do not fit each other"
            )
        repeated = np.flatnonzero(np.diff(self.stamps) <= 0)
        if len(repeated):
            raise InputError(
                f"the poses at {format_stamp(self.stamps[repeated[0]])} s and "
                f"{format_stamp(self.stamps[repeated[0] + 1])} s are not in the order of time"
            )

    def __len__(self) -> int:
        return len(self.stamps)

    @staticmethod
    def from_poses(stamps: Sequence[int], poses: Sequence[FloatArray]) -> Trajectory:
        """The trajectory of poses (4, 4) at stamps in nanoseconds, given in any order.

        Raises:
            InputError: two poses at the same time.
        """
        times = np.array(stamps, dtype=np.int64)
        order = np.argsort(times, kind="stable")
        return Trajectory(times[order], np.array(poses, dtype=np.float64).reshape(-1, 4, 4)[order])

    def nearest(
        self, stamps: NDArray[np.int64], tolerance: int = DEFAULT_TOLERANCE
    ) -> NDArray[np.int64]:
        """Index of the pose nearest in time to each of `stamps` (M,), nanoseconds.

        -1 where there is none within `tolerance` nanoseconds.
        """
        if not len(self):
            return np.full(len(stamps), -1, dtype=np.int64)
        after = np.searchsorted(self.stamps, stamps).clip(0, len(self) - 1)
        before = (after - 1).clip(0)
        is_before = np.abs(self.stamps[before] - stamps) <= np.abs(self.stamps[after] - stamps)
        nearest = np.where(is_before, before, after)
        return np.where(np.abs(self.stamps[nearest] - stamps) <= tolerance, nearest, -1)

    def at(self, stamp: int, tolerance: int = DEFAULT_TOLERANCE) -> FloatArray | None:
        """The pose (4, 4) nearest in time to `stamp`, None where there is none."""
        index = int(self.nearest(np.array([stamp], dtype=np.int64), tolerance)[0])
        return None if index < 0 else self.poses[index]

    def between(self, stamp: int, largest_gap: int | None = None) -> FloatArray | None:
        """The pose (4, 4) at a time between two poses, moving straight and turning evenly.

        Before the first and after the last pose, and between poses that are more than `largest_gap`
        nanoseconds apart, it is that of `at`.
        """
        after = int(np.searchsorted(self.stamps, stamp))
        if after in (0, len(self)):
            return self.at(stamp)
        before = after - 1
        if largest_gap is not None and self.stamps[after] - self.stamps[before] > largest_gap:
            return self.at(stamp)
        share = (stamp - self.stamps[before]) / (self.stamps[after] - self.stamps[before])
        first, last = self.poses[before], self.poses[after]
        turn = Rotation.from_matrix(first[:3, :3].T @ last[:3, :3]).as_rotvec()
        rotation = first[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
        return rigid(rotation, first[:3, 3] + share * (last[:3, 3] - first[:3, 3]))


def format_stamp(stamp: int | np.int64) -> str:
    """Nanoseconds as seconds with all their digits."""
    seconds, rest = divmod(int(stamp), NANOSECONDS)
    return f"{seconds}.{rest:09d}"


def parse_stamp(text: str) -> int:
    """A time as decimal text in nanoseconds, exactly.

    It is seconds, or milli-, micro- or nanoseconds where seconds would lie in a far future.

    Raises:
        InputError: text that is no finite number, or a time that nanoseconds cannot count.
    """
    try:
        number = Decimal(text)
        unit = next((unit for most, unit in UNITS if abs(number) < most), 1)
        stamp = int((number * unit).to_integral_value())
    except (InvalidOperation, OverflowError, ValueError):
        raise InputError(f"'{text}' is not a time in seconds") from None
    if abs(stamp) > LATEST:
        raise InputError(f"'{text}' is not a time in seconds")
    return stamp


def read_tum(path: Path) -> Trajectory:
    """The trajectory in a TUM file: lines `timestamp tx ty tz qx qy qz qw`, # for comments.

    Poses that are not finite are left out with a warning, and so is another pose of a time that has
    one already; lines that repeat a pose do not count. Times may be given in other units, as
    `parse_stamp` recognizes them.

    Raises:
        InputError: a file that cannot be read, has no poses or mostly bad ones, or a line without
            eight numbers; names the file and the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read as a TUM trajectory: {reason}") from None
    poses: dict[int, FloatArray] = {}
    sieve = Sieve(str(path))
    for number, line in enumerate(lines, start=1):
        fields = line.split("#", maxsplit=1)[0].replace(",", " ").split()
        if not fields or (not poses and all(_is_word(field) for field in fields)):
            continue
        try:
            stamp, values = _parse_fields(fields)
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from None
        where = f"{path}: line {number}"
        pose = sieve.take(where, partial(_pose_of, values, poses.get(stamp)))
        if pose is not None:
            poses[stamp] = pose
    sieve.close()
    if not poses:
        raise InputError(f"{path}: there are no poses in the file")
    return Trajectory.from_poses(list(poses), list(poses.values()))


def _is_word(field: str) -> bool:
    """Whether it can be part of a line that names the columns."""
    return field[0].isalpha() and field.lower() not in ("nan", "inf", "infinity")


def _pose_of(values: FloatArray, same_time: FloatArray | None) -> FloatArray:
    """The pose of a line; `same_time` is that of an earlier line with the same time, if any."""
    pose = from_quaternion(values[:3], values[3:])
    if same_time is not None and not np.allclose(pose, same_time, rtol=0.0, atol=1e-6):
        raise InputError("an earlier line has another pose at the same time")
    return pose


def _parse_fields(fields: Sequence[str]) -> tuple[int, FloatArray]:
    if len(fields) != 8:
        raise InputError(f"{len(fields)} numbers instead of timestamp tx ty tz qx qy qz qw")
    try:
        values = np.array([float(field) for field in fields[1:]])
    except ValueError as error:
        raise InputError(str(error)) from None
    return parse_stamp(fields[0]), values


def write_tum(path: Path, trajectory: Trajectory, names: Sequence[str] = ()) -> None:
    """Writes a TUM file, translations in metres; `names`, if any, as a comment above each pose."""
    lines = ["# timestamp tx ty tz qx qy qz qw (camera to map, optical frame)"]
    for index, (stamp, pose) in enumerate(zip(trajectory.stamps, trajectory.poses, strict=True)):
        values = np.concatenate([pose[:3, 3], to_quaternion(pose)])
        if names:
            lines.append(f"# {' '.join(names[index].split())}")
        lines.append(" ".join([format_stamp(stamp), *(f"{value:.9f}" for value in values)]))
    write_whole(path, "\n".join(lines) + "\n")
