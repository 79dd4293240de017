"""`dense-reloc bench robustness` and `bench poses`: methods on queries that were made harder."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_bench_options

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.condition_results import (
        ConditionResult,
        PoseResult,
    )
    from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands `bench robustness` and `bench poses`."""
    robustness = subparsers.add_parser(
        "robustness",
        help="localize queries that were made dark, blurred and covered, turned or zoomed",
        description="Degrades the queries, always with the same randomness, and localizes them. "
        "Writes robustness.json, and the table of all frames as robustness.csv.",
    )
    add_bench_options(robustness)
    add_accuracy_options(robustness, ("dim", "dark", "night", "harsh"))
    robustness.set_defaults(run=run_robustness)
    poses = subparsers.add_parser(
        "poses",
        help="compare pose estimators, also by poses that would not be published",
        description="Counts the frames whose best pose is off, whether it would be published or "
        "not, and how much more often than with NRE. Writes poses.json and poses.csv.",
    )
    add_bench_options(poses, ("re", "re_smoothed", "nre"))
    add_accuracy_options(poses, ("night", "harsh"))
    poses.set_defaults(run=run_poses)


def run_robustness(arguments: argparse.Namespace) -> int:
    """Runs `bench robustness`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.evaluation.benchmarks.condition_results import condition_results

    file = JsonFile(arguments.output, "robustness.json")
    results = condition_results(_rows(arguments, "robustness.csv", is_verified=True))
    title = f"{results[0].queries}: share of {results[0].evaluated} frames within …"
    print_results(results, robustness_columns(), title, attrgetter("level"))
    file.write(results)
    return 0


def run_poses(arguments: argparse.Namespace) -> int:
    """Runs `bench poses`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.evaluation.benchmarks.condition_results import pose_results

    file = JsonFile(arguments.output, "poses.json")
    rows = _rows(arguments, "poses.csv", is_verified=False)
    results = pose_results(rows)
    title = f"{rows[0].condition.queries}: share of {results[0].frames} frames outside …"
    print_results(results, pose_columns(), f"{title} (relative to NRE)", attrgetter("level"))
    file.write(results)
    return 0


def robustness_columns() -> Mapping[str, Callable[[ConditionResult], str]]:
    """What is shown of a result."""
    from dense_reloc_ros.cli.bench.result_table import (
        calibration_error,
        map_name,
        median_error,
        share_within,
        threshold_name,
    )
    from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS

    return {
        "level": attrgetter("level"),
        "method": attrgetter("method"),
        "map": lambda result: map_name(result.map, result.keyframes),
        **{threshold_name(t): share_within(name) for name, t in RECALL_THRESHOLDS.items()},
        "localized": lambda result: str(result.localized),
        "wrong": lambda result: str(result.wrong),
        "median error": median_error,
        "calibration error": calibration_error,
    }


def pose_columns() -> Mapping[str, Callable[[PoseResult], str]]:
    """What is shown of a result, as in table 4.1 of Germain's thesis."""
    from dense_reloc_ros.cli.bench.result_table import map_name, threshold_name
    from dense_reloc_ros.evaluation.benchmarks.condition_results import POSE_THRESHOLDS

    return {
        "level": attrgetter("level"),
        "method": attrgetter("method"),
        "map": lambda result: map_name(result.map, result.keyframes),
        **{threshold_name(t): _outside(name) for name, t in POSE_THRESHOLDS.items()},
    }


def _outside(name: str) -> Callable[[PoseResult], str]:
    def show(result: PoseResult) -> str:
        deterioration = result.deterioration[name]
        relative = "" if deterioration is None else f" ({100 * deterioration:+.0f}%)"
        return f"{result.outside[name]:.3f}{relative}"

    return show


def _rows(arguments: argparse.Namespace, file: str, is_verified: bool) -> Sequence[FrameRow]:
    """The frames by all systems; their best poses, where they are not verified."""
    from dataclasses import replace

    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.evaluation.benchmarks.frame_table import write_frames
    from dense_reloc_ros.evaluation.benchmarks.runner import check_truth, run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.systems import best_poses

    with open_bench(arguments, [arguments.device]) as bench:
        check_truth(bench.queries.frames)
        systems = bench.systems
        if not is_verified:
            systems = [replace(system, start=best_poses) for system in systems]
        rows = run_benchmark(systems, bench.queries, arguments.degradations)
    if arguments.output:
        write_frames(arguments.output / file, rows)
    return rows
