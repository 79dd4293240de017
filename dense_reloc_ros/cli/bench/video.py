"""`dense-reloc bench video`: what fusion over time adds to single frames."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_accuracy_options, add_bench_options, positive

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.fusion_comparison import FusionResult
    from dense_reloc_ros.evaluation.benchmarks.fusion_memory import MemoryResult
    from dense_reloc_ros.evaluation.benchmarks.fusion_numbers import Contrast, Reached


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
        "--memory-frames",
        type=positive,
        metavar="N",
        help="also play the video with bursts forth and back for N frames, and watch the memory",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench video`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.configuration import load_block
    from dense_reloc_ros.evaluation.benchmarks.fusion_comparison import (
        BURSTS,
        compare_fusion,
        videos_at,
    )
    from dense_reloc_ros.evaluation.benchmarks.fusion_memory import fusion_memory
    from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

    file = JsonFile(arguments.output, "video.json")
    fusion = (
        load_block(TemporalConfiguration, arguments.fusion_config)
        if arguments.fusion_config
        else TemporalConfiguration()
    )
    with open_bench(arguments, [arguments.device]) as bench:
        results = compare_fusion(
            bench.contenders, fusion, bench.frames, arguments.levels, arguments.seeds
        )
        print_table(table(results, bench.queries))
        file.write(results)
        if arguments.memory_frames is not None:
            memory_file = JsonFile(arguments.output, "memory.json")
            (video,) = videos_at(BURSTS, bench.frames, arguments.seeds[:1])
            memory = [
                fusion_memory(
                    contender, bench.configuration, fusion, video.frames, arguments.memory_frames
                )
                for contender in bench.contenders
            ]
            print_table(memory_table(memory))
            memory_file.write(memory)
    return 0


def table(results: Sequence[FusionResult], queries: str) -> Table:
    """A row for each level, method and map, and below it one for each kind of burst."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.results import map_name

    rows = Table(
        "level",
        "method",
        "map",
        "frames",
        "5 cm, 5°",
        "ratio",
        "saved",
        "lost",
        "recovery",
        "wrong",
        "median cm",
        "ms",
        title=f"{queries}: single frames → fused over time, raw → and filtered",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for result in results:
        where = result.level, result.method, map_name(result.map, result.keyframes)
        rows.add_row(*where, *_contrast(result.all), _time(result))
        for kind, contrast in result.kinds.items():
            rows.add_row("", "", kind, *_contrast(contrast))
        rows.add_section()
    rows.caption = (
        "ratio, saved (of the frames outside), lost: filtered against single; recovery: frames "
        "from the end of a burst to the first within, median (worst); ms: a frame + its fusion "
        "(share)"
    )
    return rows


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


def _contrast(numbers: Contrast) -> list[str]:
    ways = numbers.single, numbers.raw, numbers.fused
    ratio = numbers.recall_ratio
    return [
        str(numbers.frames),
        " → ".join(map(_recall, ways)),
        "-" if ratio is None else f"{ratio:.2f}",
        f"{numbers.saved} of {numbers.outside}",
        str(numbers.lost),
        " → ".join(map(_recovery, ways)),
        " → ".join(str(way.wrong) for way in ways),
        " → ".join(map(_error, ways)),
    ]


def _recall(reached: Reached) -> str:
    return "-" if reached.recall is None else f"{reached.recall:.3f}"


def _recovery(reached: Reached) -> str:
    median, worst = reached.median_recovery, reached.worst_recovery
    return f"{'-' if median is None else f'{median:g}'} ({'-' if worst is None else worst})"


def _error(reached: Reached) -> str:
    metres = reached.median_translation_m
    return "-" if metres is None else f"{100 * metres:.2f}"


def _time(result: FusionResult) -> str:
    share = f"{100 * result.added_time:+.0f}%"
    return f"{result.frame_ms.median:.0f} + {result.fusion_ms.median:.0f} ({share})"
