"""Shows people where the robot is believed to be: its camera with the state in words, its path."""

from __future__ import annotations

from collections import deque

import numpy as np
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import pose_from_message
from dense_reloc_ros.nodes.debug_image import DOUBTED, LOCALIZED, NOT_LOCALIZED
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.temporal.belief import Standing, State

COLOURS = {State.TRACKING: LOCALIZED, State.UNSURE: DOUBTED, State.LOST: NOT_LOCALIZED}
LONGEST_PATH = 1000
"""Poses; the oldest are forgotten first."""
STEP_METRES, STEP_RADIANS = 0.05, np.radians(5.0)
"""Poses of the path are at least so far apart, in one of both."""
DEPTH = 0.4
"""Metres from the camera to the far side of its frustum."""
LINE_WIDTH, TEXT_HEIGHT = 0.01, 0.15
"""Metres."""


class BeliefDisplay:
    """The publishers of ~/markers and ~/path, latched; messages are made while somebody subscribes.

    Not for several threads at once.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        create = node.create_lifecycle_publisher
        self._markers = create(MarkerArray, "~/markers", LATCHED)
        self._path = create(Path, "~/path", LATCHED)
        self._poses: deque[PoseStamped] = deque(maxlen=LONGEST_PATH)
        self._newest: FloatArray | None = None
        """(4, 4), the last of the path."""
        self._shown: tuple[RelocResult, Camera | None] | None = None
        self._is_cleared = True
        self._said: tuple[State, str] | None = None
        self._audience = 0

    def close(self) -> None:
        """Takes the publishers away."""
        self._node.destroy_lifecycle_publisher(self._markers)
        self._node.destroy_lifecycle_publisher(self._path)

    def place(self, result: FrameResult, *, anew: bool) -> None:
        """Takes a frame whose pose is believed; `anew` begins another path."""
        message = result.message
        self._shown, self._said = (message, result.camera), None
        if anew:
            self._poses.clear()
            self._newest = None
        if not message.base_frame_id:
            return
        pose = pose_from_message(message.pose.pose)
        if self._newest is not None:
            metres, radians = pose_error(self._newest, pose)
            if metres < STEP_METRES and radians < STEP_RADIANS:
                return
        self._newest = pose
        self._poses.append(PoseStamped(header=message.header, pose=message.pose.pose))

    def clear(self) -> None:
        """Shows nothing any more, as where the map was exchanged."""
        shown, self._shown = self._shown, None
        self._said = self._newest = None
        self._poses.clear()
        if shown is not None and not self._is_cleared:
            # Also without an audience: who comes later gets the last message.
            self._is_cleared = True
            self._markers.publish(MarkerArray(markers=[Marker(action=Marker.DELETEALL)]))
            self._path.publish(Path(header=shown[0].header))

    def say(self, standing: Standing) -> None:
        """Shows what is believed, if it is news, or somebody looks on since."""
        audience = self._markers.get_subscription_count() + self._path.get_subscription_count()
        words = standing.state, standing.reason
        is_news = words != self._said or audience > self._audience
        self._audience = audience
        if not audience:
            self._said = None
            return
        if self._shown is None or not is_news:
            return
        self._said, self._is_cleared = words, False
        self._markers.publish(markers_message(*self._shown, standing))
        self._path.publish(Path(header=self._shown[0].header, poses=list(self._poses)))


def markers_message(result: RelocResult, camera: Camera | None, standing: Standing) -> MarkerArray:
    """The frustum of the camera at the pose of a frame, and the state of the robot above it."""
    red, green, blue = (value / 255 for value in COLOURS[standing.state])
    colour = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    text = _marker("state", result.header, Marker.TEXT_VIEW_FACING, colour)
    text.pose.position.x = result.camera_pose.pose.position.x
    text.pose.position.y = result.camera_pose.pose.position.y
    text.pose.position.z = result.camera_pose.pose.position.z + DEPTH
    text.scale.z = TEXT_HEIGHT
    text.text = ": ".join(filter(None, (standing.state.name, standing.reason)))
    if camera is None:
        return MarkerArray(markers=[text])
    lines = _marker("camera", result.header, Marker.LINE_LIST, colour)
    lines.pose = result.camera_pose.pose
    lines.scale.x = LINE_WIDTH
    lines.points = [Point(x=x, y=y, z=z) for x, y, z in frustum(camera).tolist()]
    return MarkerArray(markers=[lines, text])


def frustum(camera: Camera) -> FloatArray:
    """The ends (16, 3) of its eight edges in the optical frame, metres."""
    right, bottom = camera.width - 0.5, camera.height - 0.5
    pixels = np.array([[-0.5, -0.5, 1], [right, -0.5, 1], [right, bottom, 1], [-0.5, bottom, 1]])
    corners = DEPTH * pixels @ np.linalg.inv(camera.matrix).T
    edges = [(np.zeros(3), corner) for corner in corners]
    edges += list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    return np.concatenate([np.stack(edge) for edge in edges])


def _marker(name: str, header: Header, kind: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=header, ns=name, type=kind, action=Marker.ADD, color=colour)
    marker.pose.orientation.w = 1.0
    return marker
