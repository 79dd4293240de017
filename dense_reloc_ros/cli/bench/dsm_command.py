"""`dense-reloc bench dsm`: scene coordinates and poses of DSM, by single images and as a video."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import (
    add_device,
    add_names,
    add_run_options,
    positive,
)
from dense_reloc_ros.cli.configuration_options import localizer_configuration

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.condition_results import ConditionResult
    from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow

METHODS = ("nre", "dsm_compact")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench dsm` command."""
    parser = subparsers.add_parser(
        "dsm",
        help="scene coordinates and poses of DSM beside other methods, single and as a video",
        description="Maps each scene, localizes its queries, and compares poses and predicted "
        "scene coordinates with the truth. Writes dsm.json, and scene_coordinates.png as Figs. 5 "
        "and 7 of the paper.",
    )
    parser.add_argument(
        "scenes",
        nargs="+",
        type=Path,
        metavar="SCENE",
        help="folder with map/ and query/ in the layout of 7-Scenes, with depth, and "
        "camera_info.yaml in it or in map/ (tools/render_room.py makes such folders)",
    )
    parser.add_argument(
        "--mapping-every",
        type=positive,
        default=1,
        metavar="N",
        help="take every Nth frame in map/ as a keyframe (default: all)",
    )
    add_names(parser, "--methods", METHODS, "what to compare")
    add_device(parser)
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench dsm`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.evaluation.benchmarks.condition_results import (
        condition_results,
        pooled_results,
    )
    from dense_reloc_ros.localization.methods import find_method

    file = JsonFile(arguments.output, "dsm.json")
    for method in arguments.methods:
        find_method(method)
    rows = [row for scene in arguments.scenes for row in _localized(arguments, scene)]
    results = condition_results(rows)
    if len(arguments.scenes) > 1:
        results += pooled_results(rows)
    print_results(results, columns(), "DSM by single images and as a video", attrgetter("queries"))
    file.write(results)
    if arguments.output:
        _draw(rows, arguments.output / "scene_coordinates.png")
    return 0


def columns() -> Mapping[str, Callable[[ConditionResult], str]]:
    """What is shown of a scene and a way to localize in it."""
    from dense_reloc_ros.cli.bench.result_table import median_error, number, share_within

    def coordinate_error(result: ConditionResult) -> str:
        found = result.scene_coordinates
        return number(100 * found.median_m if found else None, 2, " cm")

    def near_cells(result: ConditionResult) -> str:
        found = result.scene_coordinates
        return number(100 * found.within["10cm"] if found else None, 1, " %")

    return {
        "scene": attrgetter("queries"),
        "method": lambda result: f"{result.method}, {result.way}",
        "localized": lambda result: f"{result.localized} of {result.frames}",
        "wrong": lambda result: number(result.wrong, 0),
        "within 5 cm, 5°": share_within("5cm_5deg"),
        "2 cm, 2°": share_within("2cm_2deg"),
        "median pose error": median_error,
        "median coordinate error": coordinate_error,
        "cells within 10 cm": near_cells,
        "frame": lambda result: number(result.latency_ms.median, 0, " ms"),
    }


def _localized(arguments: argparse.Namespace, scene: Path) -> list[FrameRow]:
    """The queries of a scene by all methods."""
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet, run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.scene_maps import map_with_coordinates
    from dense_reloc_ros.evaluation.benchmarks.systems import System, dsm_ways
    from dense_reloc_ros.localization.factory import localizer_for
    from dense_reloc_ros.mapping.map_of_source import seven_scenes_source
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
    from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE

    configuration, device = localizer_configuration(arguments), find_device(arguments.device)
    own = scene / CAMERA_INFO_FILE
    camera = load_camera_info(own if own.is_file() else scene / "map" / CAMERA_INFO_FILE)
    source = seven_scenes_source(scene / "map", camera)
    frames = read_seven_scenes(scene / "query", camera)[:: arguments.every]
    with ExitStack() as bars:
        every = arguments.mapping_every
        scene_map = map_with_coordinates(source, every, device, ProgressBars(bars))
    localizers = [localizer_for(scene_map, configuration, m, device) for m in arguments.methods]
    systems = [System(one, scene, start) for one in localizers for start in dsm_ways(one)]
    return run_benchmark(systems, QuerySet(scene.name, frames))


def _draw(rows: Sequence[FrameRow], path: Path) -> None:
    from dense_reloc_ros.errors import InputError
    from dense_reloc_ros.evaluation.benchmarks.runner import grouped
    from dense_reloc_ros.evaluation.report.coordinate_plot import coordinate_figure

    errors = {
        label: [r.frame.coordinate_errors for r in group if r.frame.coordinate_errors is not None]
        for label, group in grouped(rows, lambda c: f"{c.method}, {c.way}").items()
    }
    errors = {label: of_way for label, of_way in errors.items() if of_way}
    if not errors:
        return
    try:
        coordinate_figure(errors).savefig(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from None
