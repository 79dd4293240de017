"""What odometry on /tf costs the relocalizer, and how late the transforms come to it.

In a sourced shell; plays the images of a bag at 5 Hz, over and over, with odometry of several rates
in turns, and prints for each rate the answers, what they took, and the lateness of transforms:

    python tools/measure_odometry_load.py MAP BAG --rates 0 200 0 200 0 50 1000
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.topics import CAMERA_FRAME, CAMERA_INFO_TOPIC, IMAGE_TOPIC
from dense_reloc_ros.evaluation.replay.ros_processes import isolated_environment
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes import tf_history
from dense_reloc_ros.nodes.conversions import time_message
from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.nodes.running import run_node

IMAGE_RATE = 5.0
START_SECONDS = 120.0
STOP_SECONDS = 10.0
LARGEST_IMAGE = 4 * 1024 * 1024
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """What came of some seconds with odometry of one rate."""

    rate: float
    images: int
    answers: int
    latencies: list[float]
    """Milliseconds from an image's arrival at the node to its answer."""
    processor_seconds: float
    """Of the node's process."""
    lateness: list[float]
    """Milliseconds from the publication of each transform until the node knows it."""


def main() -> None:
    """Starts the node, and plays to it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("map", type=Path)
    parser.add_argument("bag", type=Path, help="as `dense-reloc bag create` makes it")
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 50, 200, 1000])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each rate")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(isolated_environment(Path(folder), LARGEST_IMAGE))
        node_end, end_of_node = SPAWN.Pipe()
        wheels_end, end_of_wheels = SPAWN.Pipe()
        node = SPAWN.Process(target=relocalizer, args=(str(arguments.map), end_of_node))
        wheels = SPAWN.Process(target=publish_odometry, args=(end_of_wheels,), daemon=True)
        node.start()
        wheels.start()
        try:
            camera = Camera(arguments.bag)
            wheels_end.recv()
            camera.play(START_SECONDS, until=lambda: len(camera.latencies) >= 5)
            for rate in arguments.rates:
                wheels_end.send(rate)
                report(measure(camera, node_end, rate, arguments.seconds))
        finally:
            wheels.kill()
            node.terminate()
            node.join(STOP_SECONDS)
            node.kill()


def measure(camera: Camera, node: Connection, rate: float, seconds: float) -> Run:
    """Plays for some seconds while there is odometry of a rate."""
    time.sleep(1.0)
    camera.latencies.clear()
    before, _ = ask(node)
    images = camera.play(seconds)
    time.sleep(0.5)
    processor_seconds, lateness = ask(node)
    latencies = list(camera.latencies)
    return Run(rate, images, len(latencies), latencies, processor_seconds - before, lateness)


def report(run: Run) -> None:
    """One line."""
    late = [f"{np.percentile(run.lateness, q):.1f}" if run.lateness else "-" for q in (50, 95)]
    print(
        f"/tf {run.rate:5.0f} Hz: {run.answers}/{run.images} answers, "
        f"median {np.median(run.latencies):.0f} ms, "
        f"{1e3 * run.processor_seconds / max(run.answers, 1):.0f} ms of processor each; "
        f"{len(run.lateness)} transforms, late by {late[0]} ms (median), {late[1]} ms (95%)",
        flush=True,
    )


class Camera:
    """Publishes the images of a bag, and collects what is said about them."""

    def __init__(self, bag: Path) -> None:
        self.latencies: list[float] = []
        with BagReader(bag) as reader:
            messages = {
                topic: [message.data for message in reader.messages([topic])]
                for topic in (IMAGE_TOPIC, CAMERA_INFO_TOPIC)
            }
        pictures = [deserialize_message(data, Image) for data in messages[IMAGE_TOPIC]]
        self._pictures = cycle(pictures)
        self._info = deserialize_message(messages[CAMERA_INFO_TOPIC][0], CameraInfo)
        rclpy.init()
        node = rclpy.create_node("camera")
        self._images = node.create_publisher(Image, "image", 10)
        self._camera_infos = node.create_publisher(CameraInfo, "camera_info", 10)
        node.create_subscription(RelocResult, "relocalizer/result", self._take, 100)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        static = node.create_publisher(TFMessage, "/tf_static", latched)
        static.publish(TFMessage(transforms=[transform("base_link", CAMERA_FRAME)]))
        Thread(target=rclpy.spin, args=(node,), daemon=True).start()

    def play(self, seconds: float, until: Callable[[], bool] = lambda: False) -> int:
        """Publishes images for some seconds, or until something holds; says how many."""
        begin, count = time.monotonic(), 0
        while time.monotonic() < begin + seconds and not until():
            image = next(self._pictures)
            stamp = time_message(time.time_ns())
            image.header.stamp = self._info.header.stamp = stamp
            self._camera_infos.publish(self._info)
            self._images.publish(image)
            count += 1
            time.sleep(max(0.0, begin + count / IMAGE_RATE - time.monotonic()))
        return count

    def _take(self, result: RelocResult) -> None:
        self.latencies.append(result.latency_milliseconds)


def publish_odometry(other: Connection) -> None:
    """At the rates it is told; x is the time of publication, which the node's side compares."""
    rclpy.init()
    node = rclpy.create_node("odometry")
    publisher = node.create_publisher(TFMessage, "/tf", 100)
    moved, rate = transform("odom", "base_link"), 0.0
    other.send("ready")
    while True:
        if not rate or other.poll():
            rate, begin, count = other.recv(), time.monotonic(), 0
            continue
        moved.header.stamp = time_message(time.time_ns())
        moved.transform.translation.x = time.time()
        publisher.publish(TFMessage(transforms=[moved]))
        count += 1
        time.sleep(max(0.0, begin + count / rate - time.monotonic()))


def transform(parent: str, child: str) -> TransformStamped:
    """Of two frames at the same place."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.transform.rotation.w = 1.0
    return message


def relocalizer(map_path: str, other: Connection) -> None:
    """The node's process: says how much of the processor it has used, and notes late transforms."""
    lateness: list[float] = []
    convert = tf_history.pose_from_transform

    def convert_and_note(message: Any) -> Any:
        pose = convert(message)
        if message.translation.x > 1e9:  # not what the node says itself
            lateness.append(1e3 * (time.time() - message.translation.x))
        return pose

    def answer() -> None:
        while other.recv():
            noted = lateness.copy()
            lateness.clear()
            other.send((time.process_time(), noted))

    tf_history.pose_from_transform = convert_and_note
    Thread(target=answer, daemon=True).start()
    parameters = [f"map:={map_path}", "autostart:=true", "max_rate:=0.0"]
    run_node(Relocalizer, ["--ros-args", *(word for p in parameters for word in ("-p", p))])


def ask(node: Connection) -> tuple[float, list[float]]:
    """Processor seconds of the node's process until now, and lateness since the last question."""
    node.send(True)
    processor_seconds, lateness = node.recv()
    return processor_seconds, lateness


if __name__ == "__main__":
    main()
