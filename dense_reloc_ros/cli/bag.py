"""`dense-reloc bag`: makes rosbag2 recordings of data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from dense_reloc_ros.cli.camera_options import add_camera_info, add_rectified, camera_of_folder


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
    add_camera_info(create, required=True, note="")
    add_rectified(create)
    add(
        "--rig",
        type=Path,
        metavar="YAML",
        help="further cameras on the robot: their folders, intrinsics and mounts",
    )
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
    from dense_reloc_ros.bags.rig_file import load_rig

    camera = camera_of_folder(arguments, arguments.seven_scenes)
    assert camera is not None  # the option is required
    frames = create_bag(
        arguments.seven_scenes,
        camera,
        arguments.output,
        others=load_rig(arguments.rig) if arguments.rig else (),
        compressed=arguments.compressed,
        depth=arguments.depth,
    )
    print(f"{arguments.output}: {frames} frames")
    return 0
