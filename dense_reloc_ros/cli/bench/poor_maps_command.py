"""`dense-reloc bench poor-maps`: methods on maps whose points are few, noisy or triangulated."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_device, add_names, add_run_options, positive
from dense_reloc_ros.cli.configuration_options import localizer_configuration

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.condition_results import ConditionResult
    from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow

METHODS = ("deviloc", "nre_feature_pnp", "sift_pnp")
KINDS = ("all", "5%", "1%", "noisy", "sift")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench poor-maps` command."""
    parser = subparsers.add_parser(
        "poor-maps",
        help="methods on maps whose points are few, noisy or triangulated",
        description="Maps each scene, takes points away or moves them, calibrates each map on its "
        "own images, and localizes the queries. Writes poor_maps.json.",
    )
    parser.add_argument(
        "scenes",
        nargs="+",
        type=Path,
        metavar="SCENE",
        help="folder with map/ and query/ in the layout of 7-Scenes, with depth, and "
        "camera_info.yaml in it or in map/",
    )
    parser.add_argument(
        "--mapping-every",
        type=positive,
        default=1,
        metavar="N",
        help="take every Nth frame in map/ as a keyframe (default: all)",
    )
    add_names(parser, "--methods", METHODS, "what to compare")
    add_names(
        parser,
        "--points",
        KINDS,
        "the points of the maps: all, 5%%, 1%%, noisy (their distance by 5%% at random), "
        "'5%%, noisy', sift (triangulated)",
    )
    parser.add_argument(
        "--calibrate-once",
        action="store_true",
        help="calibrate poor maps as the map with all points, which saves minutes for each",
    )
    add_device(parser)
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench poor-maps`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.evaluation.benchmarks.condition_results import condition_results
    from dense_reloc_ros.evaluation.benchmarks.poor_maps import check_kinds
    from dense_reloc_ros.localization.methods import find_method

    file = JsonFile(arguments.output, "poor_maps.json")
    check_kinds(arguments.points)
    for method in arguments.methods:
        find_method(method)
    rows: list[FrameRow] = []
    for scene in arguments.scenes:
        for of_map in _localized(arguments, scene):
            rows += of_map
            # After each map, so that a run that is interrupted leaves what it has found.
            file.write(condition_results(rows))
    print_results(
        condition_results(rows),
        columns(),
        "share of all queries within …",
        attrgetter("queries"),
        caption="wrong: more than 0.25 m or 10° off; all: best poses, published or not",
    )
    return 0


def columns() -> Mapping[str, Callable[[ConditionResult], str]]:
    """What is shown of a scene, a map of it and a method."""
    from dense_reloc_ros.cli.bench.result_table import median_error, number, share_within
    from dense_reloc_ros.evaluation.replay.offline import SINGLE

    return {
        "scene": attrgetter("queries"),
        "points": attrgetter("map"),
        "method": attrgetter("method"),
        "poses": lambda result: "published" if result.way == SINGLE else "all",
        "poses of": lambda result: f"{result.localized} of {result.frames}",
        "wrong": lambda result: number(result.wrong, 0),
        "2 cm, 2°": share_within("2cm_2deg"),
        "5 cm, 5°": share_within("5cm_5deg"),
        "25 cm, 5°": share_within("25cm_5deg"),
        "median pose error": median_error,
        "NEES": lambda result: number(result.nees.within_95 if result.nees else None, 2),
        "frame": lambda result: number(result.latency_ms.median, 0, " ms"),
    }


def _localized(arguments: argparse.Namespace, scene: Path) -> Iterator[list[FrameRow]]:
    """The queries of a scene by all methods, on one map after the other."""
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.poor_maps import poor_maps
    from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet, run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.systems import System, published_and_best_poses
    from dense_reloc_ros.localization.factory import localizer_for
    from dense_reloc_ros.localization.methods import find_method
    from dense_reloc_ros.mapping.map_of_source import seven_scenes_source
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
    from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE

    configuration, device = localizer_configuration(arguments), find_device(arguments.device)
    own = scene / CAMERA_INFO_FILE
    camera = load_camera_info(own if own.is_file() else scene / "map" / CAMERA_INFO_FILE)
    source = seven_scenes_source(scene / "map", camera)
    source = replace(source, frames=source.frames[:: arguments.mapping_every])
    queries = QuerySet(scene.name, read_seven_scenes(scene / "query", camera)[:: arguments.every])
    methods = [find_method(method) for method in arguments.methods]
    with ExitStack() as bars:
        for kind, maps in poor_maps(
            source, methods, arguments.points, device, arguments.calibrate_once, ProgressBars(bars)
        ):
            systems = [
                System(
                    localizer_for(maps[method.kind], configuration, method.name, device),
                    Path(kind),
                    published_and_best_poses,
                )
                for method in methods
            ]
            yield run_benchmark(systems, queries)
