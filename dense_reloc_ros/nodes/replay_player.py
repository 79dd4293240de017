"""Plays a bag into nodes and writes down what they answer; started by `dense-reloc replay`.

Messages go out as they were recorded, byte by byte, on the topics of the bag.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.topics import TF_STATIC_TOPIC, TF_TOPIC
from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.evaluation.replay.bag_replay import BAD_INPUT, NODE_FAILED
from dense_reloc_ros.evaluation.replay.published_results import PublishedResult, write_results
from dense_reloc_ros.evaluation.replay.replay_steps import Step, played_topic, steps
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.notices import configure_logging
from dense_reloc_ros.progress import show_progress
from dense_reloc_ros.stamps import NANOSECONDS

START_SECONDS = 60.0
"""For the node to appear and its topics to be matched."""
CONFIGURE_SECONDS = 300.0
"""For the node to load map and network, and to compute something for the first time."""
QUIET_SECONDS = 0.3
"""For what is still on its way at the end."""
DEEP = QoSProfile(depth=1000)
LATCHED = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
MESSAGE_TYPES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
    "tf2_msgs/msg/TFMessage": TFMessage,
}


class ReplayPlayer(Node):
    """Sends messages to some nodes and collects the answers of the last one by stamp."""

    def __init__(self, topics: dict[str, str], nodes: Sequence[str]) -> None:
        super().__init__("replay_player")
        self._outputs: dict[str, Publisher] = {
            topic: self.create_publisher(
                MESSAGE_TYPES[kind],
                played_topic(topic, kind),
                LATCHED if topic == TF_STATIC_TOPIC else DEEP,
            )
            for topic, kind in topics.items()
        }
        self.results: dict[int, RelocResult] = {}
        self.posed: set[int] = set()
        """Stamps for which a pose was published."""
        self._change_state = [
            self.create_client(ChangeState, f"/{node}/change_state") for node in nodes
        ]
        self._get_parameters = self.create_client(GetParameters, f"/{nodes[0]}/get_parameters")
        self._answer_topics = [
            self.create_subscription(kind, f"/{nodes[-1]}/{topic}", take, DEEP)
            for kind, topic, take in (
                (RelocResult, "result", self._take_result),
                (PoseWithCovarianceStamped, "pose", self._take_pose),
            )
        ]
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Handles messages until a condition holds; False where it did not within `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(left, 0.1))
        return True

    def spin_for(self, seconds: float) -> None:
        """Handles messages for some time."""
        self.spin_until(lambda: False, seconds)

    def bring_up(self) -> None:
        """Configures and activates the nodes, and waits until they listen and are heard.

        Raises:
            RelocError: one does not appear, or refuses.
        """
        for change_state in self._change_state:
            if not change_state.wait_for_service(START_SECONDS):
                raise RelocError(f"the node did not appear within {START_SECONDS:.0f} s")
            self._transition(change_state, Transition.TRANSITION_CONFIGURE, "configured")
            self._transition(change_state, Transition.TRANSITION_ACTIVATE, "activated")
        if not self.spin_until(self._is_connected, START_SECONDS):
            raise RelocError("the node does not listen to the topics of the bag")

    def _transition(self, change_state: Client, transition: int, done: str) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        future = change_state.call_async(request)
        if not self.spin_until(future.done, CONFIGURE_SECONDS):
            raise RelocError(f"the node could not be {done} within {CONFIGURE_SECONDS:.0f} s")
        if not future.result().success:
            raise RelocError(f"the node could not be {done}")

    def _is_connected(self) -> bool:
        return all(
            output.get_subscription_count() > 0 for output in self._outputs.values()
        ) and all(
            self.count_publishers(subscription.topic_name) > 0
            for subscription in self._answer_topics
        )

    def send(self, step: Step) -> None:
        """Publishes an image and what belongs to it."""
        for message in (*step.others, step.image):
            self._outputs[message.topic].publish(message.data)

    def wait_for_answer(self, stamp: int, timeout: float) -> None:
        """Handles messages until the image of this stamp is answered, or `timeout` seconds."""
        self.spin_until(lambda: stamp in self.results, timeout)

    def answers(self) -> list[PublishedResult]:
        """All answers in the order they came."""
        device = self._read_device()
        return [
            answer_from_message(stamp, result, device, stamp in self.posed)
            for stamp, result in self.results.items()
        ]

    def _read_device(self) -> str:
        future = self._get_parameters.call_async(GetParameters.Request(names=["device"]))
        self.spin_until(future.done, START_SECONDS)
        return future.result().values[0].string_value if future.done() else "auto"

    def _take_result(self, message: RelocResult) -> None:
        self.results.setdefault(nanoseconds(message.header.stamp), message)

    def _take_pose(self, message: PoseWithCovarianceStamped) -> None:
        self.posed.add(nanoseconds(message.header.stamp))


def answer_from_message(
    stamp: int, result: RelocResult, device: str, pose_published: bool
) -> PublishedResult:
    """The message as plain data."""
    pose = result.camera_pose.pose
    return PublishedResult(
        stamp=stamp,
        status=Status(result.status),
        reason=result.reason,
        translation=(pose.position.x, pose.position.y, pose.position.z),
        quaternion=(
            pose.orientation.x,
            pose.orientation.y,
            pose.orientation.z,
            pose.orientation.w,
        ),
        covariance=tuple(result.camera_pose.covariance),
        score=result.score,
        confidence=result.confidence,
        keyframes=tuple(result.keyframes),
        map_revision=result.map_revision,
        method=result.method,
        device=device,
        stage_milliseconds=dict(
            zip(result.stage_names, map(float, result.stage_milliseconds), strict=True)
        ),
        latency_milliseconds=result.latency_milliseconds,
        pose_published=pose_published,
    )


def play_in_lockstep(player: ReplayPlayer, sequence: Iterable[Step], timeout: float) -> None:
    """Sends each image when the one before is answered, or has not been for `timeout` seconds."""
    for step in sequence:
        player.send(step)
        player.wait_for_answer(step.stamp, timeout)


def play_at_rate(
    player: ReplayPlayer, sequence: Iterable[Step], rate: float, timeout: float
) -> None:
    """Sends images at `rate` times the speed they were recorded at."""
    begin = time.monotonic()
    first: Step | None = None
    for step in sequence:
        first = first or step
        due = begin + (step.image.time - first.image.time) / NANOSECONDS / rate
        player.spin_for(due - time.monotonic())
        player.send(step)
    if first is not None:
        # The newest image always gets its turn: with its answer, all have come that will.
        player.wait_for_answer(step.stamp, timeout)


def run(arguments: argparse.Namespace) -> None:
    """Plays the bag and writes the answers."""
    image_topic, info_topic, others = (
        arguments.image_topic,
        arguments.info_topic,
        arguments.others,
    )
    wanted = {image_topic, info_topic, *others, TF_TOPIC, TF_STATIC_TOPIC}
    with BagReader(arguments.bag) as bag:
        topics = {topic: kind for topic, kind in bag.topics.items() if topic in wanted}
        sequence = show_progress(
            steps(bag, image_topic, info_topic, others),
            "starting the node",
            total=bag.count([image_topic]),
        )
        player = ReplayPlayer(topics, arguments.nodes)
        player.bring_up()
        sequence.set_description("replaying")
        sequence.unpause()
        if arguments.lockstep:
            play_in_lockstep(player, sequence, arguments.timeout)
        else:
            play_at_rate(player, sequence, arguments.rate, arguments.timeout)
        player.spin_for(QUIET_SECONDS)
    write_results(arguments.answers, player.answers())


def main() -> int:
    """The player's process; an error is one line on stdout and one of two exit statuses."""
    parser = argparse.ArgumentParser(description="Plays a bag into nodes.")
    parser.add_argument("bag", type=Path)
    parser.add_argument("image_topic")
    parser.add_argument("info_topic")
    parser.add_argument("answers", type=Path, help="JSON lines to write")
    parser.add_argument(
        "--others", nargs="+", default=[], help="topics of further cameras: images and camera_info"
    )
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for an answer")
    parser.add_argument(
        "--nodes",
        nargs="+",
        default=["relocalizer"],
        help="nodes to bring up, in this order; the answers of the last one are written",
    )
    pace = parser.add_mutually_exclusive_group(required=True)
    pace.add_argument("--rate", type=float)
    pace.add_argument("--lockstep", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    arguments = parser.parse_args()
    configure_logging(quiet=arguments.quiet)
    rclpy.init(args=[])
    try:
        run(arguments)
    except RelocError as error:
        print(error)  # noqa: T201
        return BAD_INPUT if isinstance(error, InputError) else NODE_FAILED
    except (Exception, KeyboardInterrupt):
        if rclpy.ok():
            raise
        return NODE_FAILED  # ended from outside while it waited
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
