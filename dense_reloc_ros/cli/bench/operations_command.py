"""`dense-reloc bench operations`: what a frame would cost a GPU, counted without one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_bench_options

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.operations import Counts, OperationsResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench operations` command."""
    parser = subparsers.add_parser(
        "operations",
        help="tensor operations and synchronizations of a frame",
        description="Counts the tensor operations of each frame, and how often the processor would "
        "wait for a GPU, by stages, and those of a frame among eight that are localized at once. "
        "It is counted on the processor. Writes operations.json.",
    )
    add_bench_options(parser)
    parser.set_defaults(run=run, ground_truth=None)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench operations`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_table
    from dense_reloc_ros.evaluation.benchmarks.operations import count_operations

    file = JsonFile(arguments.output, "operations.json")
    with open_bench(arguments, ["cpu"]) as bench:
        results = count_operations(bench.systems, bench.queries.frames)
        print_table(table(results, bench.queries.name))
    file.write(results)
    return 0


def table(results: Sequence[OperationsResult], queries: str) -> Table:
    """Two columns for each method and map; a row for each stage, median and largest."""
    from rich.table import Table

    from dense_reloc_ros.cli.bench.result_table import map_name

    title = f"{queries}: operations of {len(results[0].frames)} frames, median (largest)"
    rows = Table("", title=title)
    for result in results:
        name = f"{result.method}\n{map_name(result.map, result.keyframes)}"
        rows.add_column(f"{name}\noperations", justify="right")
        rows.add_column(f"{name}\nsynchronizations", justify="right")
    stages = dict.fromkeys(s for r in results for frame in r.frames for s in frame.stages)
    for stage in stages:
        of_stage = [
            [frame.stages[stage] for frame in result.frames if stage in frame.stages]
            for result in results
        ]
        rows.add_row(stage, *(cell for counts in of_stage for cell in _cells(counts)))
    rows.add_section()
    for places in (1, 2):
        rows.add_row(
            f"frames with {places} place{'s' * (places > 1)}", *_of_places(results, places)
        )
    rows.add_row("all frames", *_of_places(results, None))
    together = [(r.batch_operations, r.batch_synchronizations) for r in results]
    numbers = (f"{number:.1f}" for pair in together for number in pair)
    rows.add_row(f"one of {results[0].batch} at once, mean", *numbers)
    return rows


def _of_places(results: Sequence[OperationsResult], places: int | None) -> list[str]:
    """The cells of whole frames with a number of places, or of all."""
    return [
        cell
        for result in results
        for cell in _cells([f.whole for f in result.frames if places in (None, f.places)])
    ]


def _cells(counts: Sequence[Counts]) -> tuple[str, str]:
    return (
        _median_and_largest(counts, lambda count: count.operations),
        _median_and_largest(counts, lambda count: count.synchronizations),
    )


def _median_and_largest(counts: Sequence[Counts], number: Callable[[Counts], int]) -> str:
    numbers = sorted(map(number, counts))
    return f"{numbers[len(numbers) // 2]} ({numbers[-1]})" if numbers else "-"
