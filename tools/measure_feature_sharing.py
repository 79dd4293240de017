"""What it costs to hand the dense features of a frame to another process by a ROS message.

In a sourced shell; prints medians of wall and processor time, and what they are of the time that
computing the features takes on the same machine, in turns:

    python tools/measure_feature_sharing.py --frames 100
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import numpy as np
import rclpy
import torch
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from std_msgs.msg import UInt8MultiArray

from dense_reloc_ros.evaluation.replay.ros_processes import isolated_environment
from dense_reloc_ros.features.extractor import FeatureExtractor, FeatureLevel, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor

Result = TypeVar("Result")
Times = dict[str, list[tuple[float, float]]]
"""Wall and processor time of each step in milliseconds."""
QOS = QoSProfile(depth=1)
WARM_UP = 10


def main() -> None:
    """Publishes the features of a random image from this process to another one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--network", default="compact")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    extractor = create_extractor(arguments.network, torch.device(arguments.device))
    shape = (arguments.height, arguments.width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    levels = extractor(image_to_tensor(image, extractor.device)).levels.values()
    size = sum(2 * level.values.numel() for level in levels)
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(isolated_environment(Path(folder), size))
        receiver = spawn.Process(target=receive, args=(there, arguments.device), daemon=True)
        receiver.start()
        times = send(extractor, image, here, arguments.frames)
        receiver.kill()
    report(times, size)


def send(
    extractor: FeatureExtractor, image: NDArray[np.uint8], receiver: Connection, frames: int
) -> Times:
    """Computes and sends features, one frame when the last one has arrived."""
    rclpy.init()
    publisher = rclpy.create_node("sender").create_publisher(UInt8MultiArray, "features", QOS)
    while not publisher.get_subscription_count():
        time.sleep(0.05)
    times: Times = {}
    for index in range(WARM_UP + frames):
        taken: Times = {}
        features = timed(
            taken, "features", lambda: extractor(image_to_tensor(image, extractor.device))
        )
        levels = features.levels.values()
        message = timed(taken, "made", lambda levels=levels: pack(levels))
        sent = time.perf_counter()
        timed(taken, "serialized, sent", lambda message=message: publisher.publish(message))
        arrived, there = receiver.recv()
        taken |= there | {"on its way": [(1e3 * (arrived - sent), 0.0)]}
        if index >= WARM_UP:
            for name, values in taken.items():
                times.setdefault(name, []).extend(values)
    rclpy.try_shutdown()
    return times


def receive(sender: Connection, device: str) -> None:
    """Takes messages until it is ended; says of each when it came, and what it took."""
    rclpy.init()
    node = rclpy.create_node("receiver")

    def take(serialized: bytes) -> None:
        arrived = time.perf_counter()
        taken: Times = {}
        message = timed(
            taken, "deserialized", lambda: deserialize_message(serialized, UInt8MultiArray)
        )
        timed(taken, "unpacked", lambda: unpack(message, device))
        sender.send((arrived, taken))

    node.create_subscription(UInt8MultiArray, "features", take, QOS, raw=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()


def pack(levels: Iterable[FeatureLevel]) -> UInt8MultiArray:
    """The levels in float16, one after the other."""
    message = UInt8MultiArray()
    for level in levels:
        message.data.frombytes(level.values.half().cpu().numpy().tobytes())
    return message


def unpack(message: UInt8MultiArray, device: str) -> torch.Tensor:
    """Their values in float32 where they are needed."""
    return torch.from_numpy(np.frombuffer(message.data, np.float16).copy()).to(device).float()


def timed(times: Times, name: str, work: Callable[[], Result]) -> Result:
    """The result of some work, the time of which is written down."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    taken = (1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor))
    times.setdefault(name, []).append(taken)
    return result


def report(times: Times, size: int) -> None:
    """Prints the table."""
    medians = {name: np.median(np.array(values), axis=0) for name, values in times.items()}
    steps = ("made", "serialized, sent", "deserialized", "unpacked")
    medians["message in all"] = sum(medians[name] for name in steps)
    print(f"message of {size / 1e6:.2f} MB, {torch.get_num_threads()} threads")
    for name, (wall, processor) in medians.items():
        share = processor / medians["features"][1]
        print(f"{name:17} {wall:7.2f} ms, {processor:7.2f} ms of the processor ({share:.2f})")


if __name__ == "__main__":
    main()
