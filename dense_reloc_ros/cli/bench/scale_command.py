"""`dense-reloc bench scale`: what the size of a map costs."""

from __future__ import annotations

import argparse
from pathlib import Path

from dense_reloc_ros.cli.bench.options import (
    add_device,
    add_kept_maps,
    add_run_options,
    count,
    positive,
)
from dense_reloc_ros.cli.configuration_options import localizer_configuration
from dense_reloc_ros.cli.query_source import add_query_options


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench scale` command."""
    parser = subparsers.add_parser(
        "scale",
        help="time, start-up and memory with large maps",
        description="Puts copies of a map side by side, each of which looks like another place, "
        "and compares the time of a frame, the start-up and the memory with those of the map "
        "itself. Writes scale.json.",
    )
    parser.add_argument("--map", type=Path, required=True, metavar="MAP", help="folder of a map")
    parser.add_argument(
        "--copies",
        type=positive,
        nargs="+",
        default=[100],
        metavar="N",
        help="how many times the map stands in each large one (default: 100)",
    )
    add_query_options(parser)
    add_run_options(parser)
    add_kept_maps(parser)
    add_device(parser)
    parser.add_argument(
        "--warm-up",
        type=count,
        default=5,
        metavar="N",
        help="first frames that are not timed (default: 5)",
    )
    parser.set_defaults(run=run, ground_truth=None)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench scale`."""
    from tempfile import TemporaryDirectory

    from dense_reloc_ros.cli.bench.result_table import JsonFile, number, print_results
    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.map_scale import compare_sizes

    file = JsonFile(arguments.output, "scale.json")
    folder = arguments.maps or (arguments.output / "maps" if arguments.output else None)
    with TemporaryDirectory() as temporary, open_queries(arguments) as frames:
        results = compare_sizes(
            arguments.map,
            arguments.copies,
            folder or Path(temporary),
            localizer_configuration(arguments),
            find_device(arguments.device),
            frames[:: arguments.every],
            arguments.warm_up,
            arguments.rebuild,
        )
    columns = {
        "keyframes": lambda result: str(result.speed.keyframes),
        "localized": lambda result: f"{result.speed.localized} of {result.speed.frames}",
        "frame": lambda result: f"{result.speed.frame_ms.median:.1f} ms",
        "95%": lambda result: f"{result.speed.frame_ms.p95:.1f} ms",
        "retrieval": lambda result: f"{result.speed.stage_ms['retrieval'].median:.1f} ms",
        "× the smallest": lambda result: f"{result.ratio_to_smallest:.2f}",
        "start-up": lambda result: f"{result.startup_s:.1f} s",
        "peak memory": lambda result: number(result.speed.peak_memory_mb, 0, " MB"),
    }
    print_results(results, columns, "A map and its copies", lambda result: None, 1)
    file.write(results)
    return 0
