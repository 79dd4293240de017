"""Plays a drive to nodes of other processes, and hears all that they publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nodes.observer import Observer, wait_for
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from system.building_drive import CAMERA, Drive
from system.launched import CAMERA_INFO, IMAGE
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.msg import LocalizationState, LoopClosure, RelocResult
from dense_reloc_ros.nodes.conversions import (
    image_to_message,
    nanoseconds,
    time_message,
    transform_to_message,
)
from dense_reloc_ros.rendering.drives import camera_on_a_mast
from dense_reloc_ros.srv import LoadMap

NODES = ("relocalizer", "temporal_fusion")
BASE_FRAME, CAMERA_FRAME = "base_link", "camera_optical_frame"
PATIENCE_SECONDS = 180.0
"""For the nodes to import torch, to load the map, and for any answer, on a busy machine."""
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
DEEP = QoSProfile(depth=10_000)


@dataclass
class Heard:
    """All messages of a drive, by the topics that they came on."""

    results: list[RelocResult] = field(default_factory=list)
    """Of temporal_fusion."""
    poses: dict[str, list[PoseWithCovarianceStamped]] = field(default_factory=dict)
    predicted: list[PoseWithCovarianceStamped] = field(default_factory=list)
    closures: dict[str, list[LoopClosure]] = field(default_factory=dict)
    states: list[LocalizationState] = field(default_factory=list)
    """Of temporal_fusion, whose transform it is."""
    transforms: list[TransformStamped] = field(default_factory=list)
    """From the map."""

    @property
    def is_complete(self) -> bool:
        """Whether all constraints have come."""
        return all(
            len(self.closures[f"{node}/loop_closure"]) == len(self.poses[f"{node}/pose"])
            for node in NODES
        )

    @property
    def is_lost(self) -> bool:
        """Whether the last state was that."""
        return not self.states or self.states[-1].state == LocalizationState.LOST


class Driver:
    """The robot's side: clock, odometry, mount and camera.

    `check` raises where the nodes do not run any more.
    """

    def __init__(self, context: Context, check: Callable[[], None]) -> None:
        self.heard = Heard()
        self._check = check
        self._observer = Observer(context, "robot")
        node = self._observer.node
        self._clock = node.create_publisher(Clock, "/clock", 10)
        self._tf = node.create_publisher(TFMessage, "/tf", DEEP)
        self._mount = node.create_publisher(TFMessage, "/tf_static", LATCHED)
        self._images = node.create_publisher(Image, IMAGE, 10)
        self._infos = node.create_publisher(CameraInfo, CAMERA_INFO, 10)
        self._load_map = node.create_client(LoadMap, "relocalizer/load_map")
        self._listen()

    def close(self) -> None:
        """Stops."""
        self._observer.close()

    def connect(self) -> None:
        """Waits until the nodes are active and hear, and are heard."""
        node = self._observer.node
        for publisher in (self._images, self._infos, self._mount):
            self._wait_for(publisher.get_subscription_count, "the nodes to listen")
        self._wait_for(lambda: node.count_subscribers("/tf") > 1, "the nodes to hear TF")
        self._wait_for(self._load_map.service_is_ready, "the service that loads maps")
        self._wait_for(lambda: self.heard.states, "the first state")
        for subscription in node.subscriptions:
            topic = subscription.topic_name
            self._wait_for(partial(node.count_publishers, topic), f"a publisher of {topic}")
        self._send(self._mount, BASE_FRAME, CAMERA_FRAME, 0, camera_on_a_mast())

    def play(self, drive: Drive, image_of: Callable[[int], RgbImage], other_map: Path) -> None:
        """Plays a drive, each image when the one before was answered."""
        images = set(drive.images)
        for index, stamp in enumerate(drive.stamps.tolist()):
            if index == drive.switched:
                self._load(other_map)
            self._clock.publish(Clock(clock=time_message(stamp)))
            self._send(self._tf, "odom", BASE_FRAME, stamp, drive.T_odom_base[index])
            self._wait_for(partial(self._has_carried_on, stamp), f"a prediction at {stamp}")
            if index in images:
                self._show(image_of(index), stamp)
                answered = partial(_dated, self.heard.results, stamp)
                self._wait_for(answered, f"the answer to the image at {stamp}")
        self._wait_for(lambda: self.heard.is_complete, "a constraint for every pose")

    def _wait_for(self, condition: Callable[[], Any], what: str) -> None:
        def checked() -> Any:
            self._check()
            return condition()

        wait_for(checked, what, PATIENCE_SECONDS)

    def _has_carried_on(self, stamp: int) -> bool:
        return self.heard.is_lost or _dated(self.heard.predicted, stamp)

    def _load(self, other_map: Path) -> None:
        answer = self._load_map.call_async(LoadMap.Request(map_path=str(other_map)))
        self._wait_for(answer.done, "the other map")
        assert answer.result().success, answer.result().message

    def _show(self, image: RgbImage, stamp: int) -> None:
        message = image_to_message(image)
        info = CameraInfo(width=CAMERA.width, height=CAMERA.height, k=CAMERA.matrix.ravel())
        info.distortion_model = "plumb_bob"
        message.header.stamp = info.header.stamp = time_message(stamp)
        message.header.frame_id = info.header.frame_id = CAMERA_FRAME
        self._infos.publish(info)
        self._images.publish(message)

    def _send(self, publisher: Any, parent: str, child: str, stamp: int, T: FloatArray) -> None:
        message = TransformStamped(child_frame_id=child, transform=transform_to_message(T))
        message.header.frame_id, message.header.stamp = parent, time_message(stamp)
        publisher.publish(TFMessage(transforms=[message]))

    def _listen(self) -> None:
        def collect(kind: Any, topic: str, messages: list[Any], qos: QoSProfile = DEEP) -> None:
            self._observer.node.create_subscription(kind, topic, messages.append, qos)

        heard = self.heard
        collect(RelocResult, "temporal_fusion/result", heard.results)
        collect(PoseWithCovarianceStamped, "temporal_fusion/predicted_pose", heard.predicted)
        collect(LocalizationState, "temporal_fusion/state", heard.states, LATCHED)
        topics = [f"{node}/pose" for node in NODES] + ["temporal_fusion/raw_pose"]
        for topic in topics:
            collect(PoseWithCovarianceStamped, topic, heard.poses.setdefault(topic, []))
        for node in NODES:
            topic = f"{node}/loop_closure"
            collect(LoopClosure, topic, heard.closures.setdefault(topic, []))
        self._observer.node.create_subscription(TFMessage, "/tf", self._take_transforms, DEEP)

    def _take_transforms(self, message: TFMessage) -> None:
        self.heard.transforms += [t for t in message.transforms if t.header.frame_id == "map"]


def _dated(messages: list[Any], stamp: int) -> bool:
    """Whether one of the last messages has this stamp."""
    return any(nanoseconds(message.header.stamp) == stamp for message in messages[-5:])
