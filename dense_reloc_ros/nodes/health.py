"""What keeps images from coming or poses from leaving, by the topics that there are; with a remedy.

The functions are asked once a second: looking at the graph of nodes is not free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rclpy.node import Node

from dense_reloc_ros.nodes.camera_input import CameraInput
from dense_reloc_ros.nodes.frame_pairing import LARGEST_LOSS

TF_TYPE = "tf2_msgs/msg/TFMessage"
IMAGE_TYPES = {
    "raw": "sensor_msgs/msg/Image",
    "compressed": "sensor_msgs/msg/CompressedImage",
}
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
NAMED = 5
"""Topics that are named at most."""


def image_problem(node: Node, camera: CameraInput, transport: str) -> str:
    """Why no images come; a silent publisher is one reason, none another."""
    topic, kind = camera.image_topic, IMAGE_TYPES[transport]
    return f"no images on {topic}: {silence(node, topic, kind, 'image')}"


def info_problem(node: Node, camera: CameraInput) -> str:
    """Why no camera_info comes."""
    topic = camera.camera_info_topic
    return f"no camera_info on {topic}: {silence(node, topic, INFO_TYPE, 'camera_info')}"


def silence_of(topics: Sequence[str]) -> str:
    """What is said of other cameras that do not send; empty without any."""
    if not topics:
        return ""
    return f"no images on {_named(topics)}: the robot is localized by its other cameras alone"


def loss_problem(camera: CameraInput) -> str:
    """Whether images get lost on their way, as far as their camera_infos tell; empty if not."""
    lost, all_of_them = camera.pairing.lost
    if lost <= LARGEST_LOSS * all_of_them:
        return ""
    return (
        f"{lost} of {all_of_them} camera_infos came without their image: if nobody leaves images "
        "out on purpose, start the camera's driver with FASTDDS_DEFAULT_PROFILES_FILE="
        "config/fastdds.xml of this package, or use image_transport compressed"
    )


def tf_problem(node: Node) -> str:
    """Why TF says nothing at all; empty where it says something."""
    tf, tf_static = node.resolve_topic_name("/tf"), node.resolve_topic_name("/tf_static")
    if _publishers(node, tf) or _publishers(node, tf_static):
        return ""
    others = [topic for topic in _topics(node, TF_TYPE) if topic not in (tf, tf_static)]
    if others:
        return (
            f"nobody publishes {tf}, but there is {_named(others)}: remap /tf and /tf_static to it"
        )
    return (
        f"nobody publishes {tf} or {tf_static}: start robot_state_publisher and the odometry, or "
        "set base_frame and odom_frame to what there is, '' where there is none"
    )


def silence(node: Node, topic: str, kind: str, name: str) -> str:
    """Why nothing comes on a topic of a type, that is remapped by a name."""
    if publishers := _publishers(node, topic):
        return f"its publisher {_named(publishers)} is silent"
    others = [other for other in _topics(node, kind) if other != topic]
    if not others:
        return f"nobody publishes {kind.rsplit('/', 1)[-1]}; is the camera's driver running?"
    return f"nobody publishes it, but there is {_named(others)}; remap {name}:=TOPIC"


def _publishers(node: Node, topic: str) -> list[str]:
    """The other nodes that publish a topic."""
    return sorted(
        {
            publisher.node_name
            for publisher in node.get_publishers_info_by_topic(topic)
            if (publisher.node_name, publisher.node_namespace)
            != (node.get_name(), node.get_namespace())
        }
    )


def _topics(node: Node, kind: str) -> list[str]:
    """The topics of a type that another node publishes."""
    found = (topic for topic, kinds in node.get_topic_names_and_types() if kind in kinds)
    return sorted(topic for topic in found if _publishers(node, topic))


def _named(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
