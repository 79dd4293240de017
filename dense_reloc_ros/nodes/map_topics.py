"""The map for those who look on: its points and keyframes, on topics that keep the last message."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.nodes.conversions import pose_to_message
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.scene.colours import stored_colours
from dense_reloc_ros.scene.scene_map import SceneMap

"""Who subscribes later gets the last message, too, as with a latched topic of ROS 1."""
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
"""A point on the wire. By convention `rgb` (0x00RRGGBB) is declared to be of type FLOAT32."""


class MapTopics:
    """Publishes a map once for each activation of the node, and when it is exchanged."""

    def __init__(self, node: LifecycleNode, scene_map: SceneMap | None, frame_id: str) -> None:
        self._node = node
        self._frame_id = frame_id
        """Of the map; empty: its own."""
        self._map = scene_map
        create = node.create_lifecycle_publisher
        self._points = create(PointCloud2, "~/map_points", LATCHED)
        self._keyframes = create(PoseArray, "~/map_keyframes", LATCHED)

    def use(self, scene_map: SceneMap) -> None:
        """Goes on with another map."""
        self._map = scene_map
        self.publish()

    def publish(self) -> None:
        """Publishes the map, if there is one and the node is active."""
        if (scene_map := self._map) is None:
            return
        header = Header(frame_id=self._frame_id or scene_map.information.frame_id)
        header.stamp = self._node.get_clock().now().to_msg()
        if self._points.is_activated:
            self._points.publish(points_message(header, scene_map))
            self._keyframes.publish(keyframes_message(header, scene_map))

    def close(self) -> None:
        """Takes the publishers away."""
        self._node.destroy_lifecycle_publisher(self._points)
        self._node.destroy_lifecycle_publisher(self._keyframes)


def points_message(header: Header, scene_map: SceneMap) -> PointCloud2:
    """The points in the map frame: x, y, z in single precision, and `rgb` as RViz takes them.

    Without stored colours they are grey: no images are read while a node starts.
    """
    coordinates = scene_map.points.double().numpy() + scene_map.origin
    points = np.empty(len(coordinates), POINT)
    for axis, values in zip("xyz", coordinates.T, strict=True):
        points[axis] = values
    colours = stored_colours(scene_map).astype("<u4")
    points["rgb"] = colours @ np.array([1 << 16, 1 << 8, 1], "<u4")
    message = PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=[
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(POINT.names or ())
        ],
        point_step=POINT.itemsize,
        row_step=points.nbytes,
        is_dense=True,
    )
    message.data.frombytes(points.tobytes())
    return message


def keyframes_message(header: Header, scene_map: SceneMap) -> PoseArray:
    """The poses of the keyframes' cameras (optical frames) in the map frame, in their order."""
    poses = shifted(scene_map.keyframe_poses.numpy(), scene_map.origin)
    unknown = np.zeros((6, 6))
    return PoseArray(header=header, poses=[pose_to_message(pose, unknown).pose for pose in poses])
