"""`dense-reloc bench speed`: what methods cost on this machine, in time and memory."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_bench_options, add_degradations, count

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.timing import SpeedResult
    from dense_reloc_ros.evaluation.metrics.accuracy import Duration


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench speed` command."""
    parser = subparsers.add_parser(
        "speed",
        help="time and memory on this machine",
        description="Gives each frame to every method before the next, so that they share what "
        "else the machine does, and runs each in a process of its own to see the memory it "
        "takes. The frames of all degradations count together. Writes speed.json.",
    )
    add_bench_options(parser)
    add_degradations(parser, ("clean",))
    parser.add_argument(
        "--device",
        dest="devices",
        nargs="+",
        metavar="D",
        help="auto, cpu, cuda or cuda:N (default: cpu, and cuda where there is one)",
    )
    parser.add_argument(
        "--warm-up",
        type=count,
        default=5,
        metavar="N",
        help="first frames that are not timed (default: 5)",
    )
    parser.add_argument(
        "--busy",
        type=count,
        default=0,
        metavar="N",
        help="localize each frame once more beside N busy processes (default: 0)",
    )
    parser.set_defaults(run=run, ground_truth=None)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench speed`."""
    import torch

    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_table
    from dense_reloc_ros.evaluation.benchmarks.degraded_frames import expand
    from dense_reloc_ros.evaluation.benchmarks.timing import compare_speed

    present = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    file = JsonFile(arguments.output, "speed.json")
    with open_bench(arguments, arguments.devices or present) as bench:
        frames, warm_up = bench.queries.frames, arguments.warm_up
        results = compare_speed(
            bench.systems,
            bench.configuration,
            frames,
            warm_up,
            arguments.busy,
            expand(arguments.degradations),
        )
        print_table(table(results, bench.queries.name))
    file.write(results)
    return 0


def table(results: Sequence[SpeedResult], queries: str) -> Table:
    """A column for each method, map and device; a row for each stage and each other cost."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.result_table import map_name

    rows = Table("", title=f"{queries}: milliseconds of {results[0].frames} frames, median (95%)")
    for result in results:
        name = f"{result.method} on {result.device}\n{map_name(result.map, result.keyframes)}"
        rows.add_column(name, justify="right")
    for describe in (_stages, _whole):
        columns = [describe(result) for result in results]
        for name in dict.fromkeys(name for column in columns for name in column):
            rows.add_row(name, *(column.get(name, "-") for column in columns))
        rows.add_section()
    machine = dict.fromkeys(f"{result.device}: {result.hardware}" for result in results)
    rows.caption = f"{', '.join(machine)}; {results[0].threads} threads on the processor"
    return rows


def _stages(result: SpeedResult) -> dict[str, str]:
    return {stage: _milliseconds(duration) for stage, duration in result.stage_ms.items()}


def _whole(result: SpeedResult) -> dict[str, str]:
    from dense_reloc_ros.cli.bench.result_table import number
    from dense_reloc_ros.evaluation.benchmarks.timing import BASELINE

    busy = {}
    if result.busy_frame_ms:
        beside = f"beside {result.busy_processes} busy"
        busy[f"frame {beside}"] = _milliseconds(result.busy_frame_ms)
        busy[f"{beside} / idle"] = number(result.ratio_busy_to_idle, 2)
    return {
        "frame": _milliseconds(result.frame_ms),
        **busy,
        f"× {BASELINE}": number(result.ratio_to_baseline, 2),
        "peak memory": number(result.peak_memory_mb, 0, " MB"),
        "peak GPU memory": number(result.peak_gpu_memory_mb, 0, " MB"),
        "map per keyframe": number(result.map_mb_per_keyframe, 2, " MB"),
    }


def _milliseconds(duration: Duration) -> str:
    return f"{duration.median:.1f} ({duration.p95:.1f})"
