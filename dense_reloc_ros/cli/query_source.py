"""The options that say which images to localize, and what they open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.camera_options import (
    add_camera_info,
    add_rectified,
    camera_of_bag,
    camera_of_folder,
    rectified_choice,
)

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
    add_camera_info(parser)
    add_rectified(parser)
    add("--image-topic", metavar="TOPIC", help="images in the bag, where there are several")
    parser.set_defaults(ground_truth_topic=None)  # an option of some commands only


@contextmanager
def open_queries(arguments: argparse.Namespace) -> Iterator[list[SourceFrame]]:
    """The frames that the options name; they can be loaded until the context ends.

    Raises:
        InputError: frames or intrinsics that are missing or cannot be used.
    """
    from dense_reloc_ros.bags.bag_reader import BagReader
    from dense_reloc_ros.bags.cameras import find_image_topic
    from dense_reloc_ros.bags.frames import read_frames, require_poses, truth_topic
    from dense_reloc_ros.errors import InputError
    from dense_reloc_ros.mapping.sources.image_folder import read_image_folder
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes

    if arguments.bag:
        with BagReader(arguments.bag) as bag:
            topic = arguments.image_topic or find_image_topic(bag)
            rectified = rectified_choice(arguments)
            camera = camera_of_bag(arguments, bag, topic)
            given = arguments.ground_truth_topic
            pose_topic = None if arguments.ground_truth else given or truth_topic(bag)
            frames = read_frames(bag, topic, camera, pose_topic, rectified=rectified)
            if given and pose_topic:
                require_poses(bag, given, frames)
            yield frames
        return
    if arguments.ground_truth_topic:
        raise InputError("--ground-truth-topic goes with --bag only")
    folder = arguments.seven_scenes or arguments.images
    camera = camera_of_folder(arguments, folder)
    if camera is None:
        raise InputError("folders of images need the intrinsics: --camera-info FILE")
    if arguments.seven_scenes:
        yield read_seven_scenes(folder, camera)
    else:
        yield read_image_folder(folder, camera)


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
