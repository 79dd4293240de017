"""`dense-reloc bench poses`: pose estimators on the same features, retrieval and map."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_bench_options

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.comparison import PoseResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench poses` command."""
    parser = subparsers.add_parser(
        "poses",
        help="compare pose estimators, also by poses that would not be published",
        description="Counts the frames whose best pose is off, whether it would be published or "
        "not, and how much more often than with NRE. Writes poses.json.",
    )
    add_bench_options(parser, ("re", "re_smoothed", "nre"))
    add_accuracy_options(parser, ("night", "harsh"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench poses`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.evaluation.benchmarks.comparison import compare_poses

    file = JsonFile(arguments.output, "poses.json")
    with open_bench(arguments, [arguments.device]) as bench:
        results = compare_poses(bench.contenders, bench.frames, arguments.levels)
        print_table(table(results, bench.queries))
    file.write(results)
    return 0


def table(results: Sequence[PoseResult], queries: str) -> Table:
    """A row for each level, method and map, as in table 4.1 of Germain's thesis."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.results import map_name, threshold_name
    from dense_reloc_ros.evaluation.benchmarks.comparison import POSE_THRESHOLDS

    rows = Table(
        "level",
        "method",
        "map",
        *map(threshold_name, POSE_THRESHOLDS.values()),
        title=f"{queries}: share of {results[0].frames} frames outside … (relative to NRE)",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for _, of_level in groupby(results, key=attrgetter("level")):
        for result in of_level:
            rows.add_row(
                result.level,
                result.method,
                map_name(result.map, result.keyframes),
                *(_share(result, name) for name in POSE_THRESHOLDS),
            )
        rows.add_section()
    return rows


def _share(result: PoseResult, name: str) -> str:
    deterioration = result.deterioration[name]
    relative = "" if deterioration is None else f" ({100 * deterioration:+.0f}%)"
    return f"{result.outside[name]:.3f}{relative}"
