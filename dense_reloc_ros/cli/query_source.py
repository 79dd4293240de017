"""The options that say which images to localize, and what they open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dense_reloc_ros.geometry.trajectory import Trajectory
    from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


def add_query_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seven-scenes, --bag, --images and what goes with them."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--seven-scenes", type=Path, metavar="DIR", help="folder in the layout of 7-Scenes"
    )
    source.add_argument("--bag", type=Path, metavar="BAG", help="rosbag2 (mcap or sqlite3)")
    source.add_argument("--images", type=Path, metavar="DIR", help="folder of image files")
    add = parser.add_argument
    add(
        "--camera-info",
        type=Path,
        metavar="FILE",
        help="intrinsics, ROS YAML; bags bring their own",
    )
    add("--image-topic", metavar="TOPIC", help="images in the bag, where there are several")


@contextmanager
def open_queries(arguments: argparse.Namespace) -> Iterator[list[SourceFrame]]:
    """The frames that the options name; they can be loaded until the context ends.

    Raises:
        InputError: frames or intrinsics that are missing or cannot be used.
    """
    from dense_reloc_ros.bags.bag_reader import BagReader
    from dense_reloc_ros.bags.frames import read_frames
    from dense_reloc_ros.bags.topics import GROUND_TRUTH_TOPIC
    from dense_reloc_ros.errors import InputError
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.mapping.sources.image_folder import read_image_folder
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes

    camera = load_camera_info(arguments.camera_info) if arguments.camera_info else None
    if arguments.bag:
        with BagReader(arguments.bag) as bag:
            has_truth = GROUND_TRUTH_TOPIC in bag.topics and arguments.ground_truth is None
            pose_topic = GROUND_TRUTH_TOPIC if has_truth else None
            yield read_frames(bag, arguments.image_topic, camera, pose_topic)
        return
    if camera is None:
        raise InputError("folders of images need the intrinsics: --camera-info FILE")
    if arguments.seven_scenes:
        yield read_seven_scenes(arguments.seven_scenes, camera)
    else:
        yield read_image_folder(arguments.images, camera)


def open_odometry(arguments: argparse.Namespace) -> Trajectory | None:
    """T_odom_camera in the bag that the options name; None without a bag or without odometry.

    Raises:
        InputError: odometry that cannot be used.
    """
    from dense_reloc_ros.bags.bag_reader import BagReader
    from dense_reloc_ros.bags.odometry import read_odometry

    if not arguments.bag:
        return None
    with BagReader(arguments.bag) as bag:
        return read_odometry(bag, arguments.image_topic)
