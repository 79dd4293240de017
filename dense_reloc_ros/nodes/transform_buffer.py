"""The newest seconds of a tree of moving frames: what tf2's buffer does, where there is no tf2."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.stamps import NANOSECONDS

KEPT_NANOSECONDS = 10 * NANOSECONDS
"""How much history is kept, as in tf2."""


class TransformError(RelocError):
    """Two frames that are not connected, or not at that time."""


@dataclass
class Edge:
    """How a frame stands to its parent: samples sorted by time, or one pose for all times."""

    parent: str
    static: FloatArray | None = None
    stamps: list[int] = field(default_factory=list)
    poses: list[FloatArray] = field(default_factory=list)

    def insert(self, stamp: int, pose: FloatArray) -> None:
        """Adds or replaces the pose (4, 4) at a time and forgets what is too old."""
        if self.stamps and stamp < self.stamps[-1] - KEPT_NANOSECONDS:
            return
        index = bisect_left(self.stamps, stamp)
        if index < len(self.stamps) and self.stamps[index] == stamp:
            self.poses[index] = pose
            return
        self.stamps.insert(index, stamp)
        self.poses.insert(index, pose)
        outdated = bisect_left(self.stamps, self.stamps[-1] - KEPT_NANOSECONDS)
        del self.stamps[:outdated], self.poses[:outdated]

    def at(self, stamp: int, child: str) -> FloatArray:
        """The pose (4, 4) of `child` in its parent, interpolated between the two samples around.

        Raises:
            TransformError: a time before the first or after the last sample.
        """
        if self.static is not None:
            return self.static
        if not self.stamps or not self.stamps[0] <= stamp <= self.stamps[-1]:
            known = (
                f"only known from {self.stamps[0] * 1e-9:.3f} to {self.stamps[-1] * 1e-9:.3f}"
                if self.stamps
                else "not known yet"
            )
            raise TransformError(
                f"frame '{child}' in '{self.parent}' at time {stamp * 1e-9:.3f}: {known}"
            )
        after = min(bisect_right(self.stamps, stamp), len(self.stamps) - 1)
        before = max(after - 1, 0)
        return interpolate(
            self.poses[before],
            self.poses[after],
            (stamp - self.stamps[before]) / max(self.stamps[after] - self.stamps[before], 1),
        )


def interpolate(first: FloatArray, second: FloatArray, share: float) -> FloatArray:
    """The pose (4, 4) between two: translation linear, rotation along the great arc."""
    rotations = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    translation = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return rigid(Slerp([0.0, 1.0], rotations)(share).as_matrix(), translation)


class TransformHistory:
    """Poses of frames over time; times in nanoseconds. Safe to use from several threads."""

    def __init__(self) -> None:
        self._edges: dict[str, Edge] = {}
        self._lock = Lock()

    def insert(self, parent: str, child: str, stamp: int, pose: FloatArray) -> None:
        """Adds `T_parent_child` at a time."""
        with self._lock:
            edge = self._edges.get(child)
            if edge is None or edge.parent != parent or edge.static is not None:
                edge = self._edges[child] = Edge(parent)
            edge.insert(stamp, pose)

    def insert_static(self, parent: str, child: str, pose: FloatArray) -> None:
        """Sets `T_parent_child` for all times."""
        with self._lock:
            self._edges[child] = Edge(parent, static=pose)

    def clear(self) -> None:
        """Forgets everything but the static transforms."""
        with self._lock:
            for edge in self._edges.values():
                edge.stamps.clear()
                edge.poses.clear()

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        """`T_target_source` (4, 4) at a time; at time 0 the newest one that is known.

        Raises:
            TransformError: unknown or unconnected frames, or a time outside of what is known.
        """
        if target == source:
            return np.eye(4)
        with self._lock:
            to_target, to_source = self._ancestry(target), self._ancestry(source)
            if to_target[-1] != to_source[-1]:
                raise TransformError(f"frames '{target}' and '{source}' are not connected")
            while to_target and to_source and to_target[-1] == to_source[-1]:
                to_target.pop()
                to_source.pop()
            if stamp == 0:
                stamp = self._newest_common(to_target + to_source)
            return inverse(self._along(to_target, stamp)) @ self._along(to_source, stamp)

    def _ancestry(self, frame: str) -> list[str]:
        """A frame, its parent, and so on to the root."""
        ancestry = [frame]
        while ancestry[-1] in self._edges:
            ancestry.append(self._edges[ancestry[-1]].parent)
            if len(ancestry) > len(self._edges) + 1:
                raise TransformError(f"frame '{frame}' is its own ancestor")
        if len(ancestry) == 1 and all(edge.parent != frame for edge in self._edges.values()):
            raise TransformError(f"frame '{frame}' is not known")
        return ancestry

    def _newest_common(self, frames: list[str]) -> int:
        edges = [self._edges[frame] for frame in frames]
        return min((edge.stamps[-1] for edge in edges if edge.stamps), default=0)

    def _along(self, frames: list[str], stamp: int) -> FloatArray:
        """The pose of the first frame in the parent of the last; each is the child of the next."""
        pose = np.eye(4)
        for frame in frames:
            pose = self._edges[frame].at(stamp, frame) @ pose
        return pose
