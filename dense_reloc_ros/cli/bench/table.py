"""`dense-reloc bench table`: features times pose estimators, in accuracy, time and memory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_network_weights, positive
from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    import torch
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.method_table import NetworkMap, TableEntry
    from dense_reloc_ros.features.extractor import FeatureExtractor

NETWORKS = ("dense_sift", "effnet_lite0", "s2dnet", "compact")
METHODS = ("re", "re_smoothed", "feature_pnp", "nre_coarse", "nre")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench table` command."""
    parser = subparsers.add_parser(
        "table",
        help="compare features times pose estimators, by poses, time and memory",
        description="Builds a map for each network, degrades the queries, localizes them by every "
        "estimator on every network's features, and counts the frames whose best pose is off. "
        "Networks without weights are left out. Writes table.json.",
    )
    parser.add_argument(
        "--mapping",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder in the layout of 7-Scenes that the maps are built of, with the same camera",
    )
    parser.add_argument(
        "--mapping-every",
        type=positive,
        default=1,
        metavar="N",
        help="take every Nth of its frames as a keyframe (default: all)",
    )
    parser.add_argument(
        "--maps", type=Path, metavar="DIR", help="folder that keeps the maps, replacing older ones"
    )
    add_query_options(parser)
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="take every Nth query"
    )
    for option, names in (("networks", NETWORKS), ("methods", METHODS)):
        parser.add_argument(
            f"--{option}",
            nargs="+",
            default=names,
            metavar="N",
            help=f"to compare (default: {' '.join(names)})",
        )
    add_network_weights(parser)
    parser.add_argument("--config", type=Path, metavar="YAML", help="parameters of the localizer")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers as JSON")
    add_accuracy_options(parser, ("night", "harsh"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench table`."""
    from dense_reloc_ros.cli.bench.options import with_truth
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.method_table import compare_estimators, dense_methods
    from dense_reloc_ros.evaluation.benchmarks.robustness import check_level

    file = JsonFile(arguments.output, "table.json")
    configuration = (
        load_configuration(arguments.config) if arguments.config else LocalizerConfiguration()
    )
    methods = dense_methods(arguments.methods)
    for level in arguments.levels:
        check_level(level)
    with open_queries(arguments) as frames:
        queries = with_truth(frames[:: arguments.every], arguments.ground_truth)
        maps = list(_maps(arguments, find_device(arguments.device)))
        entries = compare_estimators(maps, methods, configuration, queries, arguments.levels)
    source = arguments.seven_scenes or arguments.bag or arguments.images
    print_table(table(entries, str(source)))
    file.write(entries)
    return 0


def table(entries: Sequence[TableEntry], queries: str) -> Table:
    """A row for each level, network and estimator, as in thesis tables 4.1 and 4.4."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.results import threshold_name
    from dense_reloc_ros.evaluation.benchmarks.comparison import POSE_THRESHOLDS

    stages = list(dict.fromkeys(stage for entry in entries for stage in entry.stage_ms))
    rows = Table(
        "level",
        "features",
        "estimator",
        *map(threshold_name, POSE_THRESHOLDS.values()),
        "frame",
        *stages,
        "features, maps",
        title=f"{queries}: share of {entries[0].frames} frames outside …, median milliseconds, MB",
        caption=f"{entries[0].keyframes} keyframes, on {entries[0].device}",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for _, of_network in groupby(entries, key=attrgetter("level", "network")):
        for entry in of_network:
            rows.add_row(
                entry.level,
                entry.network,
                entry.method,
                *(f"{share:.3f}" for share in entry.outside.values()),
                f"{entry.frame_ms.median:.0f}",
                *(_milliseconds(entry, stage) for stage in stages),
                _memory(entry),
            )
        rows.add_section()
    return rows


def _milliseconds(entry: TableEntry, stage: str) -> str:
    return f"{entry.stage_ms[stage].median:.0f}" if stage in entry.stage_ms else "-"


def _memory(entry: TableEntry) -> str:
    maps = entry.correspondence_maps_mb
    return f"{entry.features_mb:.0f}, {'-' if maps is None else f'{maps:.0f}'}"


def _maps(arguments: argparse.Namespace, device: torch.device) -> Iterator[NetworkMap]:
    """The maps of the networks that have weights, built of the frames in --mapping."""
    from dense_reloc_ros.cli.map_source import seven_scenes_source
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.evaluation.benchmarks.method_table import NetworkMap
    from dense_reloc_ros.mapping.dense_describer import DenseDescriber
    from dense_reloc_ros.mapping.map_of_source import make_map
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.scene.writer import check_target, write_map

    if arguments.camera_info is None:
        raise ConfigurationError("--mapping needs --camera-info")
    source = seven_scenes_source(arguments.mapping, load_camera_info(arguments.camera_info))
    keyframes = source.frames[:: arguments.mapping_every]
    for extractor in _extractors(arguments.networks, dict(arguments.weights), device):
        network = extractor.signature.network
        path = arguments.maps / network if arguments.maps else None
        if path:
            check_target(path)
        with ExitStack() as bars:
            describer = DenseDescriber(extractor)
            scene_map = make_map(source, keyframes, describer, progress=ProgressBars(bars))
        if path:
            write_map(path, scene_map)
        yield NetworkMap(extractor, scene_map)


def _extractors(
    networks: Sequence[str], weights: Mapping[str, Path], device: torch.device
) -> list[FeatureExtractor]:
    """Those of the networks that can be had; the others are named on stderr, with the reason."""
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.features.extractors import create_extractor

    extractors = []
    for network in networks:
        try:
            extractors.append(create_extractor(network, device, weights.get(network)))
        except ConfigurationError as error:
            if network in weights or len(networks) == 1:
                raise
            print(f"dense-reloc: {network} is left out: {error}", file=sys.stderr)
    if not extractors:
        raise ConfigurationError("none of the networks has weights")
    return extractors
