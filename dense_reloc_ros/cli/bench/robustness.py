"""`dense-reloc bench robustness`: how well methods localize when the light is bad."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_bench_options

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.comparison import RobustnessResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench robustness` command."""
    parser = subparsers.add_parser(
        "robustness",
        help="localize queries that were made dark, blurred, noisy and partly covered",
        description="Degrades the queries level by level, always with the same randomness, and "
        "localizes them. Writes robustness.json.",
    )
    add_bench_options(parser)
    add_accuracy_options(parser, ("dim", "dark", "night", "harsh"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench robustness`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.evaluation.benchmarks.comparison import compare_robustness

    file = JsonFile(arguments.output, "robustness.json")
    with open_bench(arguments, [arguments.device]) as bench:
        results = compare_robustness(
            bench.contenders, bench.frames, arguments.levels, bench.queries
        )
    print_table(table(results))
    file.write(results)
    return 0


def table(results: Sequence[RobustnessResult]) -> Table:
    """A row for each level, method and map."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.results import map_name, threshold_name
    from dense_reloc_ros.evaluation.metrics.metrics import RECALL_THRESHOLDS

    rows = Table(
        "level",
        "method",
        "map",
        *map(threshold_name, RECALL_THRESHOLDS.values()),
        "localized",
        "wrong",
        "median error",
        "calibration error",
        title=f"{results[0].queries}: share of {results[0].evaluated} frames within …",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for _, of_level in groupby(results, key=attrgetter("level")):
        for result in of_level:
            recall = result.recall
            assert recall is not None  # frames without any true pose are refused
            rows.add_row(
                result.level,
                result.method,
                map_name(result.map, result.keyframes),
                *(f"{recall[name]:.3f}" for name in RECALL_THRESHOLDS),
                str(result.localized),
                str(result.wrong),
                _median_error(result),
                _calibration_error(result),
            )
        rows.add_section()
    return rows


def _median_error(result: RobustnessResult) -> str:
    if result.median_translation_m is None or result.median_rotation_deg is None:
        return "-"
    return f"{100 * result.median_translation_m:.2f} cm, {result.median_rotation_deg:.2f}°"


def _calibration_error(result: RobustnessResult) -> str:
    found = result.calibration
    return "-" if found is None else f"{found.expected_calibration_error:.3f}"
