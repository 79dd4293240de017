"""`dense-reloc bench table`: features times pose estimators, in accuracy, time and memory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import (
    add_accuracy_options,
    add_names,
    add_network_weights,
    add_run_options,
    positive,
)
from dense_reloc_ros.cli.configuration_options import localizer_configuration
from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    import torch

    from dense_reloc_ros.evaluation.benchmarks.estimator_table import NetworkMap, TableEntry
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
    for option, names in (("--networks", NETWORKS), ("--methods", METHODS)):
        add_names(parser, option, names, "to compare")
    add_network_weights(parser)
    add_run_options(parser)
    add_accuracy_options(parser, ("night", "harsh"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench table`."""
    from dense_reloc_ros.cli.bench.options import with_truth
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.degraded_frames import expand
    from dense_reloc_ros.evaluation.benchmarks.estimator_table import (
        compare_estimators,
        dense_methods,
    )
    from dense_reloc_ros.evaluation.benchmarks.runner import check_truth

    file = JsonFile(arguments.output, "table.json")
    configuration = localizer_configuration(arguments)
    methods = dense_methods(arguments.methods)
    expand(arguments.degradations)
    with open_queries(arguments) as frames:
        queries = with_truth(frames[:: arguments.every], arguments.ground_truth)
        check_truth(queries)
        known = [frame for frame in queries if frame.T_map_camera is not None]
        maps = list(_maps(arguments, find_device(arguments.device)))
        levels = arguments.degradations
        entries = compare_estimators(maps, methods, configuration, known, levels)
    source = arguments.seven_scenes or arguments.bag or arguments.images
    first = entries[0]
    title = f"{source}: share of {first.frames} frames outside …, median milliseconds, MB"
    caption = f"{first.keyframes} keyframes, on {first.device}"
    section = attrgetter("level", "network")
    print_results(entries, columns(entries), title, section, caption=caption)
    file.write(entries)
    return 0


def columns(entries: Sequence[TableEntry]) -> Mapping[str, Callable[[TableEntry], str]]:
    """What is shown of each level, network and estimator, as in thesis tables 4.1 and 4.4."""
    from dense_reloc_ros.cli.bench.result_table import threshold_name
    from dense_reloc_ros.evaluation.benchmarks.condition_results import POSE_THRESHOLDS

    def outside(name: str) -> Callable[[TableEntry], str]:
        return lambda entry: f"{entry.outside[name]:.3f}"

    def milliseconds(stage: str) -> Callable[[TableEntry], str]:
        return lambda entry: _milliseconds(entry, stage)

    stages = dict.fromkeys(stage for entry in entries for stage in entry.stage_ms)
    return {
        "level": attrgetter("level"),
        "features": attrgetter("network"),
        "estimator": attrgetter("method"),
        **{threshold_name(t): outside(name) for name, t in POSE_THRESHOLDS.items()},
        "frame": lambda entry: f"{entry.frame_ms.median:.0f}",
        **{stage: milliseconds(stage) for stage in stages},
        "features, maps": _memory,
    }


def _milliseconds(entry: TableEntry, stage: str) -> str:
    return f"{entry.stage_ms[stage].median:.0f}" if stage in entry.stage_ms else "-"


def _memory(entry: TableEntry) -> str:
    maps = entry.correspondence_maps_mb
    return f"{entry.features_mb:.0f}, {'-' if maps is None else f'{maps:.0f}'}"


def _maps(arguments: argparse.Namespace, device: torch.device) -> Iterator[NetworkMap]:
    """The maps of the networks that have weights, built of the frames in --mapping."""
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.evaluation.benchmarks.estimator_table import NetworkMap
    from dense_reloc_ros.mapping.dense_describer import DenseDescriber
    from dense_reloc_ros.mapping.map_of_source import make_map, seven_scenes_source
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.scene.map_target import check_target
    from dense_reloc_ros.scene.writer import write_map

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
