"""What it costs to hand the dense features of a frame to another process by a ROS message.

Run in a sourced shell; prints medians in milliseconds, wall time and processor time, and what they
are of the time that the features take to compute on the same machine, in turns:

    python tools/measure_feature_sharing.py --frames 100
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import rclpy
import torch
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from std_msgs.msg import UInt8MultiArray

from dense_reloc_ros.evaluation.ros_processes import isolated_environment
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.methods import create_extractor

QOS = QoSProfile(depth=1)
WARM_UP = 10
Times = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Publishes the features of a random image from this process to another one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--network", default="compact")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    extractor = create_extractor(arguments.network, device)
    shape = (arguments.height, arguments.width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    levels = extractor(image_to_tensor(image, device)).levels.values()
    size = 2 * sum(level.values.numel() for level in levels)
    times: Times = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(isolated_environment(Path(folder), size))
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        receiver = multiprocessing.get_context("spawn").Process(
            target=receive, args=(theirs, size, arguments.device), daemon=True
        )
        receiver.start()
        rclpy.init()
        node = rclpy.create_node("extractor")
        publisher = node.create_publisher(UInt8MultiArray, "features", QOS)
        while not publisher.get_subscription_count():
            time.sleep(0.05)
        for index in range(arguments.frames + WARM_UP):
            turn = times if index >= WARM_UP else {}
            features = timed(turn, "features", lambda: extractor(image_to_tensor(image, device)))
            levels = features.levels.values()
            message = timed(turn, "message made", lambda levels=levels: pack(levels))
            sent = time.perf_counter()
            timed(turn, "serialized, sent", lambda message=message: publisher.publish(message))
            arrived, received = ours.recv()
            turn.setdefault("on its way", []).append((1e3 * (arrived - sent), 0.0))
            for name, taken in received.items():
                turn.setdefault(name, []).append(taken)
        receiver.kill()
        rclpy.try_shutdown()
    report(times, size)


def pack(levels: object) -> UInt8MultiArray:
    """The levels in float16, one after the other."""
    message = UInt8MultiArray()
    for level in levels:  # type: ignore[attr-defined]
        message.data.frombytes(level.values.half().cpu().numpy().tobytes())
    return message


def receive(reply: Connection, size: int, device: str) -> None:
    """Takes messages until it is ended, and says for each when it came and what it took."""
    rclpy.init()
    node = rclpy.create_node("receiver")

    def take(serialized: bytes) -> None:
        arrived, turn = time.perf_counter(), {}
        message = timed(turn, "deserialized", lambda: deserialize_message(serialized, kind))
        timed(turn, "unpacked", lambda: unpack(message))
        reply.send((arrived, {name: taken[0] for name, taken in turn.items()}))

    def unpack(message: UInt8MultiArray) -> torch.Tensor:
        halves = np.frombuffer(message.data, dtype=np.float16, count=size // 2)
        return torch.from_numpy(halves.copy()).to(device).float()

    kind = UInt8MultiArray
    node.create_subscription(kind, "features", take, QOS, raw=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()


def timed(times: Times, name: str, work: Callable[[], object]) -> object:
    """The result of some work; its wall and processor time in milliseconds are written down."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    taken = (1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor))
    times.setdefault(name, []).append(taken)
    return result


def report(times: Times, size: int) -> None:
    """Prints the table."""
    medians = {name: np.median(np.array(taken), axis=0) for name, taken in times.items()}
    whole = sum(medians[name] for name in medians if name not in ("features", "on its way"))
    features = medians["features"]
    print(f"message of {size / 1e6:.2f} MB, {torch.get_num_threads()} threads")  # noqa: T201
    for name, taken in {**medians, "message in all": whole}.items():
        share = taken / features
        print(  # noqa: T201
            f"{name:18} {taken[0]:7.2f} ms wall {taken[1]:7.2f} ms processor "
            f"({share[0]:.2f}, {share[1]:.2f} of the features')"
        )


if __name__ == "__main__":
    main()
