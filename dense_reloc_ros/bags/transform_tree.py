"""The transforms in a bag: /tf interpolated, and /tf_static, as one tree of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial

import numpy as np

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.recorded_poses import TF_TYPE, pose_of
from dense_reloc_ros.bags.topics import ODOMETRY_FRAME, TF_STATIC_TOPIC, TF_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.sieve import Sieve


class TransformTree:
    """Where frames were in one another while a bag was recorded.

    Raises:
        InputError: transforms half of which cannot be used.
    """

    def __init__(self, bag: BagReader) -> None:
        self._where = str(bag.path)
        moving: dict[tuple[str, str], dict[int, FloatArray]] = {}
        self._edges: dict[tuple[str, str], FloatArray | Trajectory] = {}
        for stamp, parent, child, pose in _transforms(bag, TF_TOPIC):
            moving.setdefault((parent, child), {})[stamp] = pose
        for edge, poses in moving.items():
            self._edges[edge] = Trajectory.from_poses(list(poses), list(poses.values()))
        for _, parent, child, pose in _transforms(bag, TF_STATIC_TOPIC):
            self._edges[parent, child] = pose
        self._neighbours: dict[str, list[str]] = {}
        for parent, child in self._edges:
            self._neighbours.setdefault(parent, []).append(child)
            self._neighbours.setdefault(child, []).append(parent)

    def bodies_of(self, frame: str) -> list[str]:
        """The frames that are connected with one but for that on top; nearest first."""
        top = self._upwards(frame)[-1]
        return [one for one in self._reached_from(frame) if one != top]

    def base_of(self, frame: str) -> str | None:
        """The robot that carries a frame: what odometry moves, or else moves all; None for none."""
        moving = {child: parent for parent, child in self._edges if self._moves(parent, child)}
        carriers = [one for one in self._upwards(frame) if one in moving]
        by_odometry = [one for one in carriers if moving[one] == ODOMETRY_FRAME]
        return next(iter([*by_odometry, *reversed(carriers)]), None)

    def require(self, parent: str, child: str) -> None:
        """Checks that transforms connect two frames.

        Raises:
            InputError: they do not; names the frames that there are.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if child not in self._reached_from(parent):
            frames = ", ".join(sorted(self._neighbours)) or "none"
            raise InputError(
                f"{self._where}: no transforms lead from frame '{parent}' to '{child}' "
                f"({TF_TOPIC} and {TF_STATIC_TOPIC} have: {frames})"
            )

    def at(self, parent: str, child: str, stamp: int, largest_gap: int) -> FloatArray | None:
        """T_parent_child (4, 4) at a time in nanoseconds.

        None where a transform on the way has none before and after within `largest_gap`.

        Raises:
            InputError: as `require`.
        """
        self.require(parent, child)
        before = self._reached_from(parent)
        T_frame_child, frame = np.eye(4), child.lstrip("/")
        while (nearer := before[frame]) is not None:
            step = self._step(nearer, frame, stamp, largest_gap)
            if step is None:
                return None
            T_frame_child, frame = step @ T_frame_child, nearer
        return T_frame_child

    def _step(self, parent: str, child: str, stamp: int, largest_gap: int) -> FloatArray | None:
        """T_parent_child of two neighbours, whichever of them is the parent on /tf."""
        if (child, parent) in self._edges and (parent, child) not in self._edges:
            reverse = self._step(child, parent, stamp, largest_gap)
            return None if reverse is None else inverse(reverse)
        edge = self._edges[parent, child]
        return edge.between(stamp, largest_gap) if isinstance(edge, Trajectory) else edge

    def _reached_from(self, frame: str) -> dict[str, str | None]:
        """All frames connected with one, nearest first, and the frame before each on the way."""
        before: dict[str, str | None] = {frame.lstrip("/"): None}
        queue = deque(before)
        while queue:
            one = queue.popleft()
            for neighbour in self._neighbours.get(one, []):
                if neighbour not in before:
                    before[neighbour] = one
                    queue.append(neighbour)
        return before

    def _upwards(self, frame: str) -> list[str]:
        """A frame and all that it hangs on."""
        parents = {child: parent for parent, child in self._edges}
        chain = [frame.lstrip("/")]
        while (parent := parents.get(chain[-1])) is not None and parent not in chain:
            chain.append(parent)
        return chain

    def _moves(self, parent: str, child: str) -> bool:
        return isinstance(self._edges[parent, child], Trajectory)


def _transforms(bag: BagReader, topic: str) -> Iterator[tuple[int, str, str, FloatArray]]:
    """Stamp, parent, child and T_parent_child of all transforms on a topic that can be used."""
    if bag.topics.get(topic) != TF_TYPE:
        return
    sieve = Sieve(f"{bag.path}: {topic}")
    for _, decoded in bag.decoded([topic]):
        for transform in decoded.transforms:
            parent, child = transform.header.frame_id.lstrip("/"), transform.child_frame_id
            child = child.lstrip("/")
            pose = sieve.take(f"'{parent}' to '{child}'", partial(pose_of, transform))
            if pose is not None:
                yield stamp_of(transform), parent, child, pose
    sieve.close()
