"""`dense-reloc bench video`: what fusion over time adds to single frames."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_bench_options, positive

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.fusion_contrast import (
        Contrast,
        FusionResult,
        Reached,
    )
    from dense_reloc_ros.evaluation.benchmarks.fusion_memory import MemoryResult
    from dense_reloc_ros.geometry.trajectory import Trajectory
    from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench video` command."""
    parser = subparsers.add_parser(
        "video",
        help="localize a video without and with fusion over time",
        description="Makes a video harder, always with the same randomness: in bursts of motion "
        "blur, darkness, a half that is covered, and black-outs, with clear frames between them "
        "(level bursts), or as a whole (the other levels). Localizes its frames one by one and "
        "with fusion over time. Writes video.json, and memory.json where memory is watched.",
    )
    add_bench_options(parser)
    add_accuracy_options(parser, ("bursts",), "bursts")
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[0, 1, 2],
        metavar="N",
        help="of the bursts; each gives another video (default: 0 1 2)",
    )
    parser.add_argument(
        "--fusion-config", type=Path, metavar="YAML", help="parameters of the fusion"
    )
    parser.add_argument(
        "--odometry-drift",
        type=_percent,
        metavar="PERCENT",
        help="also give the fusion odometry, made of the true poses, that is off by so much of its "
        "way and turns; without: none",
    )
    parser.add_argument(
        "--memory-frames",
        type=positive,
        metavar="N",
        help="also play the video with bursts forth and back for N frames, and watch the memory",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench video`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results, print_table
    from dense_reloc_ros.evaluation.benchmarks.degraded_frames import BURSTS, degraded
    from dense_reloc_ros.evaluation.benchmarks.fusion_contrast import fusion_results
    from dense_reloc_ros.evaluation.benchmarks.fusion_memory import fusion_memory
    from dense_reloc_ros.evaluation.benchmarks.runner import check_truth, run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.systems import with_fusion
    from dense_reloc_ros.parameter_blocks import load_block
    from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

    file = JsonFile(arguments.output, "video.json")
    fusion = (
        load_block(TemporalConfiguration, arguments.fusion_config)
        if arguments.fusion_config
        else TemporalConfiguration()
    )
    with open_bench(arguments, [arguments.device]) as bench:
        frames = sorted(bench.queries.frames, key=attrgetter("timestamp"))
        check_truth(frames)
        odometry = _odometry(frames, arguments.odometry_drift)
        start = with_fusion(fusion, odometry)
        systems = [replace(system, start=start) for system in bench.systems]
        video = replace(bench.queries, frames=frames)
        rows = run_benchmark(systems, video, arguments.degradations, arguments.seeds)
        lines = [line for result in fusion_results(rows) for line in _lines(result)]
        title = f"{bench.queries.name}: single frames → fused over time, raw → and filtered"
        print_results(lines, COLUMNS, title, attrgetter("result.level"), 3, CAPTION)
        file.write(fusion_results(rows))
        if arguments.memory_frames is not None:
            memory_file = JsonFile(arguments.output, "memory.json")
            disturbed = [one.frame for one in degraded(frames, BURSTS, arguments.seeds[0])]
            count = arguments.memory_frames
            memory = [
                fusion_memory(system, bench.configuration, fusion, disturbed, count)
                for system in bench.systems
            ]
            print_table(memory_table(memory))
            memory_file.write(memory)
    return 0


def _percent(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 100")
    return number


def _odometry(frames: Sequence[SourceFrame], percent: float | None) -> Trajectory | None:
    """T_odom_camera that drifts, of frames with true poses; None without a drift."""
    import numpy as np

    from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
    from dense_reloc_ros.geometry.trajectory import Trajectory

    if percent is None:
        return None
    known = [(one.stamp, one.T_map_camera) for one in frames if one.T_map_camera is not None]
    stamps, poses = zip(*known, strict=True)
    odometry = drifting_odometry(np.stack(poses), percent / 100, seed=0)
    return Trajectory.from_poses(stamps, list(odometry))


class Line(NamedTuple):
    """A result, or what it is in one kind of burst."""

    result: FusionResult
    contrast: Contrast
    kind: str = ""


def _lines(result: FusionResult) -> list[Line]:
    kinds = [Line(result, contrast, kind) for kind, contrast in result.kinds.items()]
    return [Line(result, result.all), *kinds]


def _arrows(show: Callable[[Reached], str]) -> Callable[[Line], str]:
    """Shows what single frames reach → fused ones, raw → and filtered."""

    def shown(line: Line) -> str:
        ways = line.contrast.single, line.contrast.raw, line.contrast.fused
        return " → ".join(map(show, ways))

    return shown


def memory_table(results: Sequence[MemoryResult]) -> Table:
    """A row for each method and map: how the memory went on."""
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.fusion_memory import SAMPLES

    rows = Table(
        "method", "map", "fused", "MB", "growth", title=f"{results[0].frames} frames: memory"
    )
    for result in results:
        megabytes = " ".join(f"{value:.0f}" for value in result.resident_mb)
        growth = "-" if result.growth_mb is None else f"{result.growth_mb:+.1f} MB"
        rows.add_row(result.method, Path(result.map).name, str(result.fused), megabytes, growth)
    rows.caption = f"after each {SAMPLES}th part of the frames, and from the first to the last"
    return rows


def _recall(reached: Reached) -> str:
    return "-" if reached.recall is None else f"{reached.recall:.3f}"


def _recovery(reached: Reached) -> str:
    median, worst = reached.median_recovery, reached.worst_recovery
    return f"{'-' if median is None else f'{median:g}'} ({'-' if worst is None else worst})"


def _error(reached: Reached) -> str:
    metres = reached.median_translation_m
    return "-" if metres is None else f"{100 * metres:.2f}"


def _nees(reached: Reached) -> str:
    held = reached.consistency
    return "-" if held is None else f"{held.median:.1f}"


def _ratio(line: Line) -> str:
    ratio = line.contrast.recall_ratio
    return "-" if ratio is None else f"{ratio:.2f}"


def _map(line: Line) -> str:
    return line.kind or f"{Path(line.result.map).name} ({line.result.keyframes} keyframes)"


def _time(line: Line) -> str:
    if line.kind:
        return ""
    result = line.result
    share = f"{100 * result.added_time:+.0f}%"
    return f"{result.frame_ms.median:.0f} + {result.fusion_ms.median:.0f} ({share})"


COLUMNS: Mapping[str, Callable[[Line], str]] = {
    "level": lambda line: "" if line.kind else line.result.level,
    "method": lambda line: "" if line.kind else line.result.method,
    "map": _map,
    "frames": lambda line: str(line.contrast.frames),
    "5 cm, 5°": _arrows(_recall),
    "ratio": _ratio,
    "saved": lambda line: f"{line.contrast.saved} of {line.contrast.outside}",
    "lost": lambda line: str(line.contrast.lost),
    "recovery": _arrows(_recovery),
    "wrong": _arrows(lambda reached: str(reached.wrong)),
    "median cm": _arrows(_error),
    "NEES": _arrows(_nees),
    "ms": _time,
}
CAPTION = (
    "ratio, saved (of the frames outside), lost: filtered against single; recovery: frames from "
    "the end of a burst to the first within, median (worst); NEES: median, 5.35 where covariances "
    "are right; ms: a frame + its fusion (share)"
)
