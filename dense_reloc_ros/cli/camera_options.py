"""The options that say how the camera sees: its intrinsics, and whether images are rectified."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dense_reloc_ros.bags.bag_reader import BagReader
    from dense_reloc_ros.geometry.camera import Camera

logger = logging.getLogger(__name__)

RECTIFIED: dict[str, bool | None] = {"auto": None, "true": True, "false": False}


def add_camera_info(
    parser: argparse.ArgumentParser, required: bool = False, note: str = "bags bring their own"
) -> None:
    """Adds --camera-info."""
    parser.add_argument(
        "--camera-info",
        type=Path,
        required=required,
        metavar="FILE",
        help="intrinsics: YAML of ROS's calibration, of `ros2 topic echo`, of OpenCV or Kalibr"
        + (f"; {note}" if note else ""),
    )


def add_rectified(parser: argparse.ArgumentParser) -> None:
    """Adds --rectified."""
    parser.add_argument(
        "--rectified",
        choices=list(RECTIFIED),
        default="auto",
        help="whether the images are rectified, so that P of the camera_info describes them "
        "instead of K, D and R; auto (default): by the name of the topic or folder (image_rect), "
        "or in a bag by another topic of the same camera",
    )


def rectified_choice(arguments: argparse.Namespace) -> bool | None:
    """What --rectified says; None: find out."""
    return RECTIFIED[arguments.rectified]


def camera_of_folder(arguments: argparse.Namespace, folder: Path) -> Camera | None:
    """The camera in the file of --camera-info for the images of a folder, None without it.

    Raises:
        InputError: a file that cannot be used.
    """
    from dense_reloc_ros.geometry.camera_info import named_rectified
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info

    if arguments.camera_info is None:
        return None
    choice = rectified_choice(arguments)
    rectified = named_rectified(folder.resolve().name) if choice is None else choice
    if rectified:
        why = "by the name of the folder" if choice is None else "as asked for"
        logger.info("%s: rectified images (%s): P is taken", folder, why)
    camera = load_camera_info(arguments.camera_info, rectified)
    if choice is None and not rectified and camera.is_distorted:
        logger.info(
            "%s: raw images (nothing says that they are rectified): K and D are taken; rectified "
            "ones need --rectified true",
            folder,
        )
    return camera


def camera_of_bag(arguments: argparse.Namespace, bag: BagReader, topic: str) -> Camera | None:
    """The camera in the file of --camera-info for a topic of images, None without it.

    Raises:
        InputError: a file that cannot be used.
    """
    from dense_reloc_ros.bags.rectification import is_rectified
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info

    if arguments.camera_info is None:
        return None
    rectified = is_rectified(bag, topic, rectified_choice(arguments))
    return load_camera_info(arguments.camera_info, rectified)
