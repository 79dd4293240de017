"""`dense-reloc map build`: makes a map of frames with poses."""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack
from pathlib import Path

from dense_reloc_ros.cli.map_source import add_source_options, open_source
from dense_reloc_ros.cli.progress_bars import ProgressBars


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
    add("--every", type=int, default=1, metavar="N", help="take every Nth frame (default: all)")
    add(
        "--keyframe-distance",
        type=float,
        default=0.0,
        metavar="METRES",
        help="skip frames nearer than this to a keyframe that looks the same way (default: 0, "
        "none)",
    )
    add(
        "--keyframe-angle",
        type=float,
        default=10.0,
        metavar="DEGREES",
        help="directions that differ by less are the same way (default: 10)",
    )
    add("--frame-id", default="map", metavar="NAME", help="name of the map's frame (default: map)")
    add("--store-images", action="store_true", help="keep the keyframes' images, for people")
    add(
        "--coordinates",
        action="store_true",
        help="store the coordinates of the keyframes' pixels, and their images: the methods dsm... "
        "need them; needs depth",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `map build`."""
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
    from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
    from dense_reloc_ros.mapping.keyframes import select_keyframes
    from dense_reloc_ros.mapping.map_of_source import describer_for, image_of, make_map
    from dense_reloc_ros.scene.map_target import claimed
    from dense_reloc_ros.scene.writer import write_to

    with ExitStack() as stack:
        target = stack.enter_context(claimed(arguments.output))
        method = find_method(arguments.method or DEFAULT_METHOD)
        describer = describer_for(
            method, arguments.network, find_device(arguments.device), arguments.weights
        )
        source = stack.enter_context(open_source(arguments))
        if arguments.coordinates and not source.has_depth:
            raise ConfigurationError("--coordinates needs depth, which this source does not have")
        progress = ProgressBars(stack)
        frames = select_keyframes(
            source.frames,
            arguments.every,
            arguments.keyframe_distance,
            math.radians(arguments.keyframe_angle),
        )
        scene_map = make_map(source, frames, describer, arguments.frame_id, progress)
        if arguments.coordinates:
            scene_map = with_coordinates(scene_map, frames, progress=progress)
        has_images = arguments.store_images or arguments.coordinates
        stored = image_of(scene_map, frames) if has_images else None
        information = write_to(target, scene_map, stored)
    print(
        f"{arguments.output}: {len(information.keyframe_names)} keyframes, "
        f"{information.point_count} points, revision {information.revision}"
    )
    return 0
