"""`dense-reloc map build`: makes a map of frames with poses."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dense_reloc_ros.cli.map_source import MapSource, add_source_options, open_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dense_reloc_ros.scene.dense_describer import DenseDescriber
    from dense_reloc_ros.scene.describing import KeyframeDescriber
    from dense_reloc_ros.scene.scene_map import SceneMap
    from dense_reloc_ros.scene.sources.source_frame import SourceFrame

T = TypeVar("T")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map build` command."""
    parser = subparsers.add_parser(
        "build",
        help="build a map of images with known poses",
        description="Builds a map of RGB-D frames, a COLMAP model or a bag. A map that is there "
        "already is replaced once the new one is complete.",
    )
    add_source_options(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="MAP", help="folder of the map to write"
    )
    parser.add_argument(
        "--method", metavar="M", help="what to build the map for; the default method, if not given"
    )
    parser.add_argument("--network", metavar="N", help="features; the method's own, if not given")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take every Nth frame (default: all)"
    )
    parser.add_argument(
        "--keyframe-distance",
        type=float,
        default=0.0,
        metavar="METRES",
        help="skip frames nearer than this to a keyframe that looks the same way (default: 0, "
        "none)",
    )
    parser.add_argument(
        "--keyframe-angle",
        type=float,
        default=10.0,
        metavar="DEGREES",
        help="directions that differ by less are the same way (default: 10)",
    )
    parser.add_argument(
        "--frame-id", default="map", metavar="NAME", help="name of the map's frame (default: map)"
    )
    parser.add_argument(
        "--store-images", action="store_true", help="keep the keyframes' images, for people"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `map build`."""
    from dense_reloc_ros.scene.dense_describer import DenseDescriber
    from dense_reloc_ros.scene.keyframes import keyframe_image, select_keyframes
    from dense_reloc_ros.scene.writer import check_target, write_map

    check_target(arguments.output)
    describer = _describer(arguments)
    with open_source(arguments) as source, ExitStack() as bars:
        frames = select_keyframes(
            source.frames,
            arguments.every,
            arguments.keyframe_distance,
            math.radians(arguments.keyframe_angle),
        )
        progress = ProgressBars(bars)
        scene_map = _build(source, frames, describer, arguments.frame_id, progress)
        by_name = {frame.name: frame for frame in frames}
        keyframes = [by_name[name] for name in scene_map.information.keyframe_names]

        def image_of(keyframe: int) -> NDArray[np.uint8]:
            return keyframe_image(keyframes[keyframe])

        if isinstance(describer, DenseDescriber):
            scene_map = _fitted(scene_map, describer, image_of, source.has_depth, progress)
        stored = image_of if arguments.store_images else None
        information = write_map(arguments.output, scene_map, stored)
    print(
        f"{arguments.output}: {len(keyframes)} keyframes, {information.point_count} points, "
        f"revision {information.revision}"
    )
    return 0


class ProgressBars:
    """Progress on stderr; the bars end with a context, so that an error begins a new line."""

    def __init__(self, context: ExitStack) -> None:
        self._context = context

    def __call__(self, items: Sequence[T], label: str) -> Iterable[T]:
        """Passes items on and shows how far it is."""
        from tqdm import tqdm

        bar: Iterable[T] = self._context.enter_context(
            tqdm(items, desc=label, unit="frame", dynamic_ncols=True)
        )
        return bar


def _describer(arguments: argparse.Namespace) -> KeyframeDescriber:
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.methods import DEFAULT_METHOD, create_extractor, find_method
    from dense_reloc_ros.scene.dense_describer import DenseDescriber
    from dense_reloc_ros.scene.sparse_describer import RootSiftDescriber

    method = find_method(arguments.method or DEFAULT_METHOD)
    device = find_device(arguments.device)
    if method.kind == "sparse_to_sparse":
        if arguments.network not in (None, method.network):
            raise ConfigurationError(f"method '{method.name}' works with '{method.network}' only")
        return RootSiftDescriber()
    return DenseDescriber(create_extractor(arguments.network or method.network, device))


def _build(
    source: MapSource,
    frames: Sequence[SourceFrame],
    describer: KeyframeDescriber,
    frame_id: str,
    progress: ProgressBars,
) -> SceneMap:
    from dense_reloc_ros.scene.builder import build_from_depth, build_from_points

    description = f"{source.description}, {len(frames)} of {len(source.frames)} frames"
    if source.has_depth:
        return build_from_depth(frames, describer, frame_id, description, progress)
    points = source.points
    if points is None:
        from dense_reloc_ros.scene.sources.triangulation import triangulate

        points = triangulate(frames, progress)
    return build_from_points(frames, points, describer, frame_id, description, progress)


def _fitted(
    scene_map: SceneMap,
    describer: DenseDescriber,
    image_of: Callable[[int], NDArray[np.uint8]],
    has_depth: bool,
    progress: ProgressBars,
) -> SceneMap:
    """The map with what its own images say about it; only depth leaves points to be refined."""
    from dense_reloc_ros.calibration import calibrate
    from dense_reloc_ros.scene.refinement import refine_points

    if has_depth:
        scene_map = refine_points(
            scene_map, lambda keyframe: describer.features(image_of(keyframe)), progress=progress
        )
    calibration = calibrate(scene_map, image_of, describer.extractor, progress)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    return replace(scene_map, information=information)
