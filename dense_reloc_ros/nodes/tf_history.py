"""What was heard of TF, kept by tf2 where it is installed, and without it where it is not."""

from __future__ import annotations

from typing import Protocol

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_transform
from dense_reloc_ros.nodes.transform_buffer import TransformError, TransformHistory

try:
    import tf2_ros
except ImportError:  # not on PyPI
    tf2_ros = None


class TfHistory(Protocol):
    """How frames stood to each other; times are nanoseconds. Safe to use from several threads."""

    def insert(self, heard: TransformStamped, is_static: bool) -> None:
        """Adds a transform; ignores or refuses (InputError) what is none."""

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        """`T_target_source` (4, 4) at a time, at time 0 the newest; raises TransformError."""

    def clear(self) -> None:
        """Forgets everything but static transforms, as after a jump of time."""


def new_history() -> TfHistory:
    """An empty one."""
    return MessageHistory() if tf2_ros is None else Tf2History()


class Tf2History:
    """tf2's buffer."""

    def __init__(self) -> None:
        # Given a node, it would leave a service tf2_frames there that nobody can take away.
        self._buffer = tf2_ros.Buffer()

    def insert(self, heard: TransformStamped, is_static: bool) -> None:
        insert = self._buffer.set_transform_static if is_static else self._buffer.set_transform
        insert(heard, "")

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
        except tf2_ros.TransformException as error:
            raise TransformError(str(error)) from None
        return pose_from_transform(found.transform)

    def clear(self) -> None:
        self._buffer.clear()


class MessageHistory:
    """The same without tf2."""

    def __init__(self) -> None:
        self._history = TransformHistory()
        self.lookup = self._history.lookup
        self.clear = self._history.clear

    def insert(self, heard: TransformStamped, is_static: bool) -> None:
        parent, child = heard.header.frame_id, heard.child_frame_id
        pose = pose_from_transform(heard.transform)
        if not parent or not child or parent == child:
            return
        if is_static:
            self._history.insert_static(parent, child, pose)
        else:
            self._history.insert(parent, child, nanoseconds(heard.header.stamp), pose)
