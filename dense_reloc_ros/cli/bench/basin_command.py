"""`dense-reloc bench basin`: from how far off Feature-PnP converges."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_bench_options, add_device

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.convergence_basin import Basin

METHOD = "feature_pnp"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench basin` command."""
    parser = subparsers.add_parser(
        "basin",
        help="from how far off Feature-PnP converges",
        description="Starts Feature-PnP at the true poses and around them, turned by some degrees "
        "and moved by as many radians times the distance of what is seen, and counts the starts "
        "that end where the one at the true pose does. Features are compared by maps that were "
        "built with them (--set features.weights=FILE where they are not the network's own). "
        "Writes basin.json.",
    )
    add_bench_options(parser, (METHOD,))
    add_device(parser)
    parser.set_defaults(run=run, ground_truth=None)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench basin`."""
    from dense_reloc_ros.cli.bench.options import open_bench
    from dense_reloc_ros.cli.bench.result_table import JsonFile, number, print_results
    from dense_reloc_ros.evaluation.benchmarks.convergence_basin import OFFSETS, convergence_basin
    from dense_reloc_ros.localization.place_localizer import PlaceLocalizer

    file = JsonFile(arguments.output, "basin.json")
    with open_bench(arguments, [arguments.device]) as bench:
        basins = [
            convergence_basin(system.localizer, str(system.map), bench.queries.frames)
            for system in bench.systems
            if isinstance(system.localizer, PlaceLocalizer)
        ]

    def share(offset: str) -> Callable[[Basin], str]:
        return lambda basin: number(basin.converged[offset], 3)

    columns: dict[str, Callable[[Basin], str]] = {
        "map": lambda basin: Path(basin.map).name,
        "weights": lambda basin: basin.weights_sha256[:8],
        "frames": lambda basin: str(basin.frames),
        "optimum": lambda basin: (
            f"{100 * basin.optimum_translation_m:.2f} cm, {basin.optimum_rotation_deg:.2f}°"
        ),
        **{f"from {offset:g}°": share(f"{offset:g}") for offset in OFFSETS},
    }
    print_results(
        basins, columns, "Share of starts that reach the optimum", lambda _: None, names=2
    )
    file.write(basins)
    return 0
