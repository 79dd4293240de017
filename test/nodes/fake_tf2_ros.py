"""Stands in for tf2_ros, as far as the nodes use it, where that is not installed.

Written from what geometry2 (Jazzy) does: names, arguments, exceptions, what a buffer refuses and
what it answers. Where tf2_ros is there, the tests run on both.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.nodes.conversions import nanoseconds, transform_to_message

CACHE_NANOSECONDS = 10 * 10**9
Edge = tuple[str, FloatArray]
"""A parent and `T_parent_child`."""


class TransformException(Exception):  # noqa: N818
    pass


class LookupException(TransformException):
    pass


class ConnectivityException(TransformException):
    pass


class ExtrapolationException(TransformException):
    pass


class Buffer:
    def __init__(self) -> None:
        self._static: dict[str, Edge] = {}
        self._moving: dict[str, list[tuple[int, Edge]]] = {}

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        if (edge := _edge(transform)) is None:
            return
        child, stamp = transform.child_frame_id, nanoseconds(transform.header.stamp)
        self._static.pop(child, None)
        samples = self._moving.setdefault(child, [])
        newest = samples[-1][0] if samples else stamp
        if stamp >= newest - CACHE_NANOSECONDS:
            samples.insert(bisect_right(samples, stamp, key=lambda s: s[0]), (stamp, edge))
        oldest = samples[-1][0] - CACHE_NANOSECONDS
        samples[:] = [sample for sample in samples if sample[0] >= oldest]

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        if (edge := _edge(transform)) is not None:
            self._moving.pop(transform.child_frame_id, None)
            self._static[transform.child_frame_id] = edge

    def clear(self) -> None:
        for samples in self._moving.values():
            samples.clear()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time
    ) -> TransformStamped:
        for frame in (target_frame, source_frame):
            if frame not in self._frames():
                raise LookupException(f'"{frame}" passed to lookupTransform does not exist')
        stamp = time.nanoseconds or self._newest_common(target_frame, source_frame)
        to_target = self._ancestors(target_frame, stamp)
        to_source = self._ancestors(source_frame, stamp)
        common = next((frame for frame in to_source if frame in to_target), None)
        if common is None:
            tops = (list(to_target)[-1], list(to_source)[-1])
            error = ExtrapolationException if {*tops} & {*self._moving} else ConnectivityException
            raise error(f"no way from {target_frame} to {source_frame} at time {stamp}")
        found = TransformStamped(child_frame_id=source_frame)
        found.header.frame_id = target_frame
        T_target_source = inverse(to_target[common]) @ to_source[common]
        found.transform = transform_to_message(T_target_source)
        return found

    def _frames(self) -> set[str]:
        edges = [*self._static.values(), *(s[1] for m in self._moving.values() for s in m)]
        return {*self._static, *self._moving, *(parent for parent, _ in edges)}

    def _ancestors(self, frame: str, stamp: int) -> dict[str, FloatArray]:
        """`T_ancestor_frame` of a frame and all above it, as far as they are known at a time."""
        ancestors = {frame: np.eye(4)}
        while (edge := self._at(frame, stamp)) is not None:
            T_parent_frame = edge[1] @ ancestors[frame]
            frame = edge[0]
            if frame in ancestors:
                raise LookupException("the tf tree is invalid because it contains a loop")
            ancestors[frame] = T_parent_frame
        return ancestors

    def _at(self, child: str, stamp: int) -> Edge | None:
        """Its parent and pose in it; at time 0 the newest."""
        samples = self._moving.get(child, [])
        if child in self._static or not samples:
            return self._static.get(child)
        if stamp == 0:
            return samples[-1][1]
        if not samples[0][0] <= stamp <= samples[-1][0]:
            return None
        after = bisect_right(samples, stamp, key=lambda sample: sample[0])
        begin, (parent, first) = samples[after - 1]
        if after == len(samples) or samples[after][1][0] != parent:
            return parent, first
        end, (_, second) = samples[after]
        share = (stamp - begin) / (end - begin)
        turns = Slerp([0, 1], Rotation.from_matrix([first[:3, :3], second[:3, :3]]))
        shift = first[:3, 3] + share * (second[:3, 3] - first[:3, 3])
        return parent, rigid(turns(share).as_matrix(), shift)

    def _newest_common(self, target: str, source: str) -> int:
        """The newest time at which all that lies between two frames is known; 0: it is static."""
        to_target, to_source = self._ancestors(target, 0), self._ancestors(source, 0)
        between = {*to_target} ^ {*to_source}
        return min((self._moving[f][-1][0] for f in between if self._moving.get(f)), default=0)


def _edge(transform: TransformStamped) -> Edge | None:
    """The parent and the pose in it; None for what a buffer refuses."""
    parent, child = transform.header.frame_id, transform.child_frame_id
    t, q = transform.transform.translation, transform.transform.rotation
    numbers = np.array([t.x, t.y, t.z, q.x, q.y, q.z, q.w])
    is_turn = abs(np.sum(numbers[3:] ** 2) - 1) < 0.01
    if not parent or not child or parent == child or np.isnan(numbers).any() or not is_turn:
        return None
    return parent, rigid(Rotation.from_quat(numbers[3:]).as_matrix(), numbers[:3])
