"""The options that say what a map is made of, and what they open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
    from dense_reloc_ros.bags.camera_poses import PoseSource
    from dense_reloc_ros.mapping.map_of_source import MapSource

DEFAULT_DEPTH_TOLERANCE = 5.0


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seven-scenes, --colmap, --bag and what goes with them."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--seven-scenes",
        type=Path,
        metavar="DIR",
        help="folder with frame-XXXXXX.color.jpg or .png, .pose.txt and .depth.png (without "
        "depth, points are triangulated); needs --camera-info",
    )
    source.add_argument("--colmap", type=Path, metavar="MODEL", help="COLMAP model; needs --images")
    source.add_argument(
        "--bag",
        type=Path,
        metavar="BAG",
        help="rosbag2 (mcap or sqlite3); needs --pose-topic or --pose-source tf",
    )
    add = parser.add_argument
    add_camera_info(parser, note="bags and COLMAP models bring their own")
    add_rectified(parser)
    add("--images", type=Path, metavar="DIR", help="images of the COLMAP model")
    add("--pose-topic", metavar="TOPIC", help="camera or robot poses in the map frame, in the bag")
    add(
        "--pose-frame",
        metavar="FRAME",
        help="body whose poses are on --pose-topic, such as base_link; /tf brings them to the "
        "camera (default: by the messages and /tf)",
    )
    add(
        "--pose-source",
        choices=("topic", "tf"),
        default="topic",
        help="topic (default): poses are those on --pose-topic; tf: those of the camera in the "
        "frame --frame-id, by /tf and /tf_static in the bag",
    )
    add(
        "--pose-gap",
        type=positive,
        default=0.25,
        metavar="S",
        help="seconds that may lie between the poses before and after an image, in the bag "
        "(default: 0.25)",
    )
    add(
        "--depth-topic",
        metavar="TOPIC",
        help="depth registered to the images, in the bag; without it, points are triangulated",
    )
    add(
        "--depth-tolerance",
        type=float,
        default=DEFAULT_DEPTH_TOLERANCE,
        metavar="MS",
        help="milliseconds by which depth may be stamped before or after its image, in the bag "
        "(default: 5)",
    )
    add("--image-topic", metavar="TOPIC", help="images in the bag, where there are several")
    add(
        "--depth-scale",
        type=positive,
        metavar="N",
        help="values per metre of the depth (default: 1000 of whole numbers, 1 of floating point)",
    )
    add(
        "--poses",
        choices=("camera-to-world", "world-to-camera"),
        default="camera-to-world",
        help="what the poses are (default: camera-to-world)",
    )
    add(
        "--axes",
        choices=("opencv", "opengl", "ros"),
        default="opencv",
        help="axes of the camera in the poses: opencv (default: x right, y down, z forward), "
        "opengl (x right, y up, z backward), ros (x forward, y left, z up)",
    )
    add(
        "--pose-scale",
        type=positive,
        default=1.0,
        metavar="N",
        help="units of the poses' positions per metre: 1000 for millimetres (default: 1)",
    )


def positive(text: str) -> float:
    """A finite number above 0, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


@contextmanager
def open_source(arguments: argparse.Namespace) -> Iterator[MapSource]:
    """The frames that the options name; they can be loaded until the context ends.

    Raises:
        ConfigurationError: options that do not go together.
        InputError: frames or intrinsics that are missing or cannot be used.
    """
    from dense_reloc_ros.mapping.sources.pose_convention import PoseConvention

    convention = PoseConvention(arguments.poses, arguments.axes, arguments.pose_scale)
    with _source_as_given(arguments) as source:
        yield source.understood_as(convention)


@contextmanager
def _source_as_given(arguments: argparse.Namespace) -> Iterator[MapSource]:
    from dense_reloc_ros.mapping.map_of_source import MapSource, seven_scenes_source

    _check_options(arguments)
    if arguments.bag:
        from dense_reloc_ros.bags.bag_reader import BagReader
        from dense_reloc_ros.bags.cameras import find_image_topic
        from dense_reloc_ros.bags.frames import default_depth_scale, read_mapping_frames

        poses = _pose_source(arguments)
        with BagReader(arguments.bag) as bag:
            image_topic = arguments.image_topic or find_image_topic(bag)
            scale = arguments.depth_scale
            read = read_mapping_frames(
                bag,
                poses,
                arguments.depth_topic,
                image_topic,
                camera_of_bag(arguments, bag, image_topic),
                rectified_choice(arguments),
                round(arguments.depth_tolerance * 1e6),
                scale,
            )
            source = MapSource(read.frames, f"bag {arguments.bag}", left_out=read.left_out)
            if topic := arguments.depth_topic:
                scale = scale or default_depth_scale(bag, topic)
                source = replace(source, has_depth=True, depth_scale=scale)
            yield source
    elif arguments.colmap:
        from dense_reloc_ros.mapping.sources.colmap import read_colmap

        frames, points = read_colmap(arguments.colmap, arguments.images)
        yield MapSource(frames, f"COLMAP model {arguments.colmap}", points)
    elif camera := camera_of_folder(arguments, arguments.seven_scenes):
        yield seven_scenes_source(arguments.seven_scenes, camera, arguments.depth_scale)


def _pose_source(arguments: argparse.Namespace) -> PoseSource:
    """Where the poses of the bag come from.

    Raises:
        ConfigurationError: options that do not go together.
    """
    from dense_reloc_ros.bags.camera_poses import PoseSource
    from dense_reloc_ros.errors import ConfigurationError

    from_tf = arguments.pose_source == "tf"
    if from_tf and (arguments.pose_topic or arguments.pose_frame):
        raise ConfigurationError(
            "--pose-source tf takes the camera's poses from /tf: leave out --pose-topic and "
            "--pose-frame"
        )
    if not from_tf and not arguments.pose_topic:
        raise ConfigurationError("--bag needs --pose-topic, or --pose-source tf")
    gap = round(arguments.pose_gap * 1e9)
    return PoseSource(arguments.pose_topic, arguments.frame_id, arguments.pose_frame, gap)


NEEDED = {"seven_scenes": "camera_info", "colmap": "images"}
"""The option that a source cannot do without."""
ALLOWED = {
    "seven_scenes": {"camera_info", "depth_scale"},
    "colmap": {"images"},
    "bag": {"pose_topic", "pose_frame", "depth_topic", "image_topic", "camera_info", "depth_scale"},
}


def _check_options(arguments: argparse.Namespace) -> None:
    from dense_reloc_ros.errors import ConfigurationError

    source = next(name for name in ALLOWED if getattr(arguments, name))
    if source in NEEDED and not getattr(arguments, NEEDED[source]):
        raise ConfigurationError(f"{_option(source)} needs {_option(NEEDED[source])}")
    for option in sorted(set().union(*ALLOWED.values()) - ALLOWED[source]):
        if getattr(arguments, option):
            raise ConfigurationError(f"{_option(option)} does not go with {_option(source)}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
