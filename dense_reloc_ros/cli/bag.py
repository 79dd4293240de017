"""`dense-reloc bag`: makes rosbag2 recordings of data sets."""

from __future__ import annotations

import argparse
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bag` command."""
    parser = subparsers.add_parser("bag", help="make recordings for ROS 2")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    create = commands.add_parser(
        "create",
        help="make a rosbag2 (mcap) of a folder in the layout of 7-Scenes",
        description="Writes images, camera_info, the true poses (on /ground_truth/pose, of the "
        "camera's optical frame) and /tf_static into a rosbag2 in mcap format.",
    )
    add = create.add_argument
    add(
        "--seven-scenes",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with frame-XXXXXX.color.jpg or .png and .pose.txt",
    )
    add("--camera-info", type=Path, required=True, metavar="FILE", help="intrinsics, ROS YAML")
    add("--output", type=Path, required=True, metavar="BAG", help="folder to make; must not exist")
    add(
        "--compressed",
        action="store_true",
        help="copy the image files as they are onto the compressed topic",
    )
    add("--depth", action="store_true", help="write the depth images, too")
    create.set_defaults(run=run_create)


def run_create(arguments: argparse.Namespace) -> int:
    """Runs `bag create`."""
    from dense_reloc_ros.bags.create import create_bag
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info

    frames = create_bag(
        arguments.seven_scenes,
        load_camera_info(arguments.camera_info),
        arguments.output,
        compressed=arguments.compressed,
        depth=arguments.depth,
    )
    print(f"{arguments.output}: {frames} frames")
    return 0
