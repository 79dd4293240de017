"""`dense-reloc map build`: makes a map of frames with poses."""

from __future__ import annotations

import argparse
import logging
import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.map_source import add_source_options, open_source
from dense_reloc_ros.cli.progress_bars import ProgressBars

if TYPE_CHECKING:
    from dense_reloc_ros.mapping.map_of_source import MapSource

KEYFRAME_ANGLE = 15.0
"""Degrees."""
KEYFRAME_DISTANCE = 0.25
"""Metres between the keyframes that are taken of a video."""
MOST_FRAMES = 300
"""Recordings of more frames are videos."""
logger = logging.getLogger(__name__)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map build` command."""
    parser = subparsers.add_parser(
        "build",
        help="build a map of images with known poses",
        description="Builds a map of RGB-D frames, a COLMAP model or a bag. A map that is there "
        "already is replaced once the new one is complete.",
    )
    add_source_options(parser)
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="MAP", help="folder of the map to write")
    add("--method", metavar="M", help="what to build the map for; the default method, if not given")
    add("--network", metavar="N", help="features; the method's own, if not given")
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights of the network; those that it brings along, if not given",
    )
    add("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    add("--every", type=int, metavar="N", help="take every Nth frame (default: all)")
    add(
        "--keyframe-distance",
        type=float,
        metavar="METRES",
        help="skip frames nearer than this to a keyframe that looks the same way (default: 0.25 "
        "for bags and folders of more than 300 frames, unless --every is given; otherwise 0, none)",
    )
    add(
        "--keyframe-angle",
        type=float,
        default=KEYFRAME_ANGLE,
        metavar="DEGREES",
        help="directions that differ by less are the same way (default: 15)",
    )
    add(
        "--frame-id",
        type=_frame_name,
        default="map",
        metavar="NAME",
        help="name of the map's frame (default: map)",
    )
    add(
        "--accept-inconsistent",
        action="store_true",
        help="make a map although images, poses and depth contradict each other; `map info` then "
        "says so",
    )
    add(
        "--store-images",
        action="store_true",
        help="keep the keyframes' images, for people and for the method deviloc",
    )
    add_point_options(parser)
    add(
        "--coordinates",
        action="store_true",
        help="store the coordinates of the keyframes' pixels, and their images: the methods dsm... "
        "need them; needs depth",
    )
    parser.set_defaults(run=run)


def add_point_options(parser: argparse.ArgumentParser) -> None:
    """Adds what makes a map poorer in points, to see what methods do with such maps."""
    add = parser.add_argument
    add(
        "--ignore-depth",
        action="store_true",
        help="triangulate points by SIFT although there is depth",
    )
    add(
        "--point-share",
        type=float,
        default=1.0,
        metavar="S",
        help="keep this share of the points, drawn at random (default: 1, all)",
    )
    add(
        "--point-noise",
        type=float,
        default=0.0,
        metavar="PERCENT",
        help="move points along their rays at random, with this standard deviation in percent of "
        "their distance (default: 0)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs `map build`."""
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
    from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
    from dense_reloc_ros.mapping.keyframes import select_keyframes
    from dense_reloc_ros.mapping.map_of_source import describer_for, image_of, make_map
    from dense_reloc_ros.mapping.poor_points import PoorPoints
    from dense_reloc_ros.scene.map_path import local_path
    from dense_reloc_ros.scene.map_target import claimed
    from dense_reloc_ros.scene.writer import write_to

    output = local_path(arguments.output)
    with ExitStack() as stack:
        target = stack.enter_context(claimed(output))
        method = find_method(arguments.method or DEFAULT_METHOD)
        describer = describer_for(
            method, arguments.network, find_device(arguments.device), arguments.weights
        )
        source = stack.enter_context(open_source(arguments))
        if arguments.ignore_depth:
            source = replace(source, has_depth=False)
        poor = PoorPoints(arguments.point_share, arguments.point_noise / 100)
        if arguments.coordinates and not source.has_depth:
            raise ConfigurationError("--coordinates needs depth, which this source does not have")
        progress = ProgressBars(stack)
        frames = select_keyframes(
            source.frames,
            1 if arguments.every is None else arguments.every,
            _keyframe_distance(arguments, source),
            math.radians(arguments.keyframe_angle),
        )
        scene_map = make_map(
            source,
            frames,
            describer,
            arguments.frame_id,
            progress,
            arguments.accept_inconsistent,
            None if poor == PoorPoints() else poor,
        )
        if arguments.coordinates:
            scene_map = with_coordinates(scene_map, frames, progress=progress)
        has_images = arguments.store_images or arguments.coordinates
        stored = image_of(scene_map, frames) if has_images else None
        information = write_to(target, scene_map, stored)
    print(
        f"{output}: {len(information.keyframe_names)} keyframes, "
        f"{information.point_count} points, revision {information.revision}"
    )
    return 0


def _keyframe_distance(arguments: argparse.Namespace, source: MapSource) -> float:
    """Metres between keyframes: those asked for, or what thins out a video that is not thinned."""
    if arguments.keyframe_distance is not None:
        return float(arguments.keyframe_distance)
    count = len(source.frames)
    # The unit of a COLMAP model is unknown, and its points are placed already.
    if arguments.colmap or arguments.every is not None or count <= MOST_FRAMES:
        return 0.0
    logger.info(
        "%d frames are a video: keyframes are taken every %.2f m or %.0f degrees; "
        "--keyframe-distance 0 takes all",
        count,
        KEYFRAME_DISTANCE,
        arguments.keyframe_angle,
    )
    return KEYFRAME_DISTANCE


def _frame_name(text: str) -> str:
    """The name of a frame of TF, which has no slash in front."""
    name = text.strip().lstrip("/")
    if not name:
        raise argparse.ArgumentTypeError("the map's frame needs a name, such as map")
    return name
