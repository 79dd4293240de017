"""A robot around running nodes, connected with them over DDS."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nodes.observer import TIMEOUT_SECONDS, Observer, Spinner, wait_for
from numpy.typing import NDArray
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import image_to_message, time_message, transform_to_message
from dense_reloc_ros.nodes.localization_node import LocalizationNode
from dense_reloc_ros.nodes.running import THREADS

GOALS = {
    Transition.TRANSITION_CONFIGURE: "inactive",
    Transition.TRANSITION_ACTIVATE: "active",
    Transition.TRANSITION_DEACTIVATE: "inactive",
    Transition.TRANSITION_CLEANUP: "unconfigured",
    Transition.TRANSITION_ACTIVE_SHUTDOWN: "finalized",
}
CAMERA_FRAME = "camera_optical_frame"
WIDTH, HEIGHT = 64, 48


def camera_info(**changes: Any) -> CameraInfo:
    info = CameraInfo(
        width=WIDTH,
        height=HEIGHT,
        distortion_model="plumb_bob",
        d=[0.1, -0.2, 0.001, 0.002, 0.0],
        k=[50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0],
    )
    info.header.frame_id = CAMERA_FRAME
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def picture(grey: int = 100) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), grey, dtype=np.uint8)


class Robot:
    """Publishes what a robot would, and collects what the first of some nodes says."""

    def __init__(self, context: Context, *nodes: LocalizationNode[Any]) -> None:
        self.context = context
        self.node = nodes[0]
        self.name = self.node.get_name()
        self._observer = Observer(context, "robot")
        self.robot = self._observer.node
        self.call, self.ask = self._observer.call, self._observer.ask
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.images = self.robot.create_publisher(Image, "image", 10)
        self.compressed = self.robot.create_publisher(CompressedImage, "image/compressed", 10)
        self.camera_infos = self.robot.create_publisher(CameraInfo, "camera_info", 10)
        self.tf = self.robot.create_publisher(TFMessage, "/tf", 100)
        self.tf_static = self.robot.create_publisher(TFMessage, "/tf_static", latched)
        self.results: list[RelocResult] = []
        self.poses: list[PoseWithCovarianceStamped] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.transforms: list[TransformStamped] = []
        self.collect(RelocResult, f"{self.name}/result", self.results)
        self.collect(PoseWithCovarianceStamped, f"{self.name}/pose", self.poses)
        self.collect(DiagnosticArray, "/diagnostics", self.diagnostics)
        self.robot.create_subscription(TFMessage, "/tf", self._take_transforms, 100)
        self._nodes = {node.get_name(): node for node in nodes}
        executor = MultiThreadedExecutor(THREADS * len(nodes), context=context)
        self._spinner = Spinner(executor, *nodes)

    def close(self) -> None:
        self._spinner.close()
        self._observer.close()

    def change_state(self, transition: int, node: str = "") -> bool:
        """As a lifecycle manager does; of the node that is listened to unless another is named."""
        name = node or self.name
        request = ChangeState.Request(transition=Transition(id=transition))
        self.call(ChangeState, f"{name}/change_state", request)
        # Not the response's word: it is about the second time where the first was lost.
        return self._nodes[name].state == GOALS[transition]

    def show(
        self,
        seconds: float,
        image: NDArray[np.uint8] | Image | None = None,
        info: CameraInfo | None = None,
    ) -> None:
        """Publishes an image with its camera_info at a time."""
        message = image if isinstance(image, Image) else image_to_message(picture())
        if isinstance(image, np.ndarray):
            message = image_to_message(image)
        info = camera_info() if info is None else info
        message.header.stamp = info.header.stamp = stamp(seconds)
        message.header.frame_id = CAMERA_FRAME
        self.camera_infos.publish(info)
        self.images.publish(message)

    def show_and_wait(self, seconds: float, *arguments: Any) -> RelocResult:
        """The result of an image."""
        self.show(seconds, *arguments)
        return self.wait_for_result(seconds)

    def show_compressed(self, seconds: float, data: bytes) -> None:
        """Publishes an encoded image with its camera_info."""
        message, info = CompressedImage(format="png"), camera_info()
        message.data.frombytes(data)
        message.header.frame_id = CAMERA_FRAME
        message.header.stamp = info.header.stamp = stamp(seconds)
        self.camera_infos.publish(info)
        self.compressed.publish(message)

    def show_until(self, status: int, seconds: float, *arguments: Any) -> float:
        """Publishes images, one a second, until one is answered so; says when that was."""

        def answered() -> float:
            nonlocal seconds
            seconds += 1.0
            return seconds if self.show_and_wait(seconds, *arguments).status == status else 0.0

        return wait_for(answered, f"a result with status {status}")

    def show_until_placed(self, seconds: float) -> None:
        """Publishes images of a time until the transform of the map is there.

        For tests in which the node does not wait for the transforms it needs.
        """

        def placed() -> bool:
            self.show(seconds)
            time.sleep(0.05)
            return any(t.header.stamp == stamp(seconds + 1.0) for t in self.transforms)

        wait_for(placed, f"a transform at {seconds + 1.0} s")

    def show_without_camera_info(self, seconds: float) -> None:
        message = image_to_message(picture())
        message.header.stamp = stamp(seconds)
        message.header.frame_id = CAMERA_FRAME
        self.images.publish(message)

    def wait_for_result(self, seconds: float) -> RelocResult:
        return self._wait_for_stamp(self.results, seconds)

    def wait_for_pose(self, seconds: float) -> PoseWithCovarianceStamped:
        return self._wait_for_stamp(self.poses, seconds)

    def wait_for_transform(self, seconds: float) -> TransformStamped:
        """A transform from the map that is dated so."""
        return self._wait_for_stamp(self.transforms, seconds)

    def wait_for_diagnostic(self, key: str, value: str) -> DiagnosticStatus:
        """Diagnostics that say so, from now on."""
        self.diagnostics.clear()
        wanted = KeyValue(key=key, value=value)

        def find() -> DiagnosticStatus | None:
            said = (message.status[0] for message in self.diagnostics)
            return next((status for status in said if wanted in status.values), None)

        return wait_for(find, f"diagnostics with {key} = {value}")

    def diagnostic(self, message: str) -> DiagnosticStatus | None:
        """The first diagnostics with this summary."""
        said = (array.status[0] for array in self.diagnostics)
        return next((status for status in said if status.message == message), None)

    def set_parameters(self, **values: Any) -> SetParametersResult:
        """Sets parameters of the node from outside, all or none."""
        parameters = [Parameter(n, value=v).to_parameter_msg() for n, v in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        name = f"{self.name}/set_parameters_atomically"
        return self.call(SetParametersAtomically, name, request).result

    def move(self, parent: str, child: str, seconds: float, pose: FloatArray) -> None:
        """Publishes a transform on /tf."""
        self.tf.publish(TFMessage(transforms=[transform(parent, child, seconds, pose)]))

    def mount(self, parent: str, child: str, pose: FloatArray) -> None:
        """Publishes a transform on /tf_static, and waits until the nodes that listen know it."""
        self.tf_static.publish(TFMessage(transforms=[transform(parent, child, 0.0, pose)]))
        for node in self._nodes.values():
            if node.state in ("inactive", "active"):
                node.transforms.lookup(parent, child, 0, timeout=TIMEOUT_SECONDS)

    def _wait_for_stamp(self, messages: list[Any], seconds: float) -> Any:
        def find() -> Any:
            return next((m for m in messages if m.header.stamp == stamp(seconds)), None)

        return wait_for(find, f"a message at {seconds} s")

    def collect(self, kind: Any, topic: str, messages: list[Any]) -> None:
        self.robot.create_subscription(kind, topic, messages.append, 100)

    def _take_transforms(self, message: TFMessage) -> None:
        self.transforms += [t for t in message.transforms if t.header.frame_id in ("map", "hall")]


def overrides(values: Mapping[str, Any]) -> list[Parameter]:
    """Parameters that a node is started with, from names with or without groups."""
    return [Parameter(name, value=value) for name, value in flatten(values).items()]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A parameter file's groups as the names that ROS has: `group.name`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def stamp(seconds: float) -> Time:
    return time_message(round(seconds * 1e9))


def transform(parent: str, child: str, seconds: float, pose: FloatArray) -> TransformStamped:
    message = TransformStamped(child_frame_id=child, transform=transform_to_message(pose))
    message.header.frame_id = parent
    message.header.stamp = stamp(seconds)
    return message
