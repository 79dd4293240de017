"""`dense-reloc bench dsm`: scene coordinates and poses of DSM, by single images and as a video."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import positive

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.dsm_comparison import DsmResult, Run

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
    parser.add_argument(
        "--every",
        type=positive,
        default=1,
        metavar="N",
        help="take every Nth query; a video of them has fewer images a second",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=METHODS,
        metavar="M",
        help=f"what to compare (default: {' '.join(METHODS)})",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument("--config", type=Path, metavar="YAML", help="parameters of the localizer")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for numbers and plot")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench dsm`."""
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.evaluation.benchmarks.dsm_comparison import pooled
    from dense_reloc_ros.localization.methods import find_method

    file = JsonFile(arguments.output, "dsm.json")
    for method in arguments.methods:
        find_method(method)
    runs = [run for scene in arguments.scenes for run in _localized(arguments, scene)]
    total = pooled(runs)
    shown = [*runs, *total] if len(arguments.scenes) > 1 else runs
    results = [run.result() for run in shown]
    print_table(table(results))
    file.write(results)
    if arguments.output:
        _draw(total, arguments.output / "scene_coordinates.png")
    return 0


def table(results: Sequence[DsmResult]) -> Table:
    """A row for each scene and method."""
    from rich.table import Table

    rows = Table(
        "scene",
        "method",
        "localized",
        "wrong",
        "within 5 cm, 5°",
        "2 cm, 2°",
        "median pose error",
        "median coordinate error",
        "cells within 10 cm",
        "frame",
    )
    for column in rows.columns[2:]:
        column.justify = "right"
    for _, of_scene in groupby(results, key=attrgetter("scene")):
        for result in of_scene:
            rows.add_row(*_row(result))
        rows.add_section()
    return rows


def _row(result: DsmResult) -> list[str]:
    coordinates, recall = result.scene_coordinates, result.recall or {}
    metres, degrees = result.median_translation_m, result.median_rotation_deg
    return [
        result.scene,
        f"{result.method}, {'video' if result.is_video else 'single'}",
        f"{result.localized} of {result.frames}",
        "-" if result.wrong is None else f"{result.wrong}",
        *(f"{recall[name]:.3f}" if recall else "-" for name in ("5cm_5deg", "2cm_2deg")),
        "-" if metres is None or degrees is None else f"{100 * metres:.2f} cm, {degrees:.2f}°",
        f"{100 * coordinates.median_m:.2f} cm" if coordinates else "-",
        f"{100 * coordinates.within['10cm']:.1f} %" if coordinates else "-",
        f"{result.latency_ms.median:.0f} ms" if result.latency_ms.median is not None else "-",
    ]


def _localized(arguments: argparse.Namespace, scene: Path) -> list[Run]:
    """What all methods say about the queries of a scene."""
    from dense_reloc_ros.cli.map_source import seven_scenes_source
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.dsm_comparison import (
        localize_scene,
        map_with_coordinates,
    )
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
    from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE

    configuration = (
        load_configuration(arguments.config) if arguments.config else LocalizerConfiguration()
    )
    device = find_device(arguments.device)
    own = scene / CAMERA_INFO_FILE
    camera = load_camera_info(own if own.is_file() else scene / "map" / CAMERA_INFO_FILE)
    source = seven_scenes_source(scene / "map", camera)
    frames = read_seven_scenes(scene / "query", camera)[:: arguments.every]
    with ExitStack() as bars:
        every = arguments.mapping_every
        scene_map = map_with_coordinates(source, every, device, ProgressBars(bars))
    return localize_scene(scene.name, scene_map, frames, arguments.methods, configuration, device)


def _draw(runs: Sequence[Run], path: Path) -> None:
    from dense_reloc_ros.errors import InputError
    from dense_reloc_ros.evaluation.report.coordinate_plot import coordinate_figure

    errors = {run.label: run.coordinate_errors for run in runs if run.coordinate_errors}
    if not errors:
        return
    try:
        coordinate_figure(errors).savefig(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from None
