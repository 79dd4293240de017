"""`dense-reloc bench matching`: how exactly features match views of photographs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_network_weights, positive

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.matching_accuracy import MatchingResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench matching` command."""
    parser = subparsers.add_parser(
        "matching",
        help="match views of photographs that a homography relates",
        description="Finds corners in one view of each photograph, matches them sparse-to-dense "
        "with others, and counts the matches that are exact to 1, 3 and 5 pixels, with and "
        "without the check that they lead back to their corner. Writes matching.json.",
    )
    parser.add_argument(
        "--photographs",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of images, also in folders in it; none that a network was trained on",
    )
    parser.add_argument(
        "--homographies",
        type=positive,
        default=3,
        metavar="N",
        help="views of each photograph that are matched (default: 3)",
    )
    default = ["dense_sift", "effnet_lite0", "compact"]
    parser.add_argument(
        "--networks",
        nargs="+",
        default=default,
        metavar="N",
        help=f"features to compare (default: {' '.join(default)})",
    )
    add_network_weights(parser)
    parser.add_argument(
        "--levels",
        nargs="+",
        default=["clean"],
        metavar="L",
        help="of light in these views: clean, dim, dark, night, harsh (default: clean)",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench matching`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_table
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.homographies import (
        check_level,
        homography_pairs,
        photographs_in,
    )
    from dense_reloc_ros.evaluation.benchmarks.matching_accuracy import matching_accuracy
    from dense_reloc_ros.features.extractors import create_extractor
    from dense_reloc_ros.progress import show_progress

    file = JsonFile(arguments.output, "matching.json")
    device = find_device(arguments.device)
    photographs = photographs_in(arguments.photographs)
    for level in arguments.levels:
        check_level(level)
    weights = dict(arguments.weights)
    extractors = [create_extractor(name, device, weights.get(name)) for name in arguments.networks]
    count = arguments.homographies
    results: list[MatchingResult] = []
    for level in arguments.levels:
        for extractor in extractors:
            pairs = homography_pairs(photographs, count, level)
            label = f"{level}, {extractor.signature.network}"
            shown = show_progress(pairs, label, "pair", count * len(photographs))
            results += matching_accuracy(extractor, shown, level)
    print_table(table(results, f"{len(photographs)} photographs of {arguments.photographs}"))
    file.write(results)
    return 0


def table(results: Sequence[MatchingResult], pairs: str) -> Table:
    """Two rows for each level of light and network: all matches, and those that lead back."""
    from rich.table import Table

    names = list(results[0].accuracy)
    rows = Table(
        "level",
        "features",
        "matches",
        *names,
        "matched",
        title=f"{pairs}, {results[0].pairs} pairs: mean matching accuracy",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for _, of_level in groupby(results, key=attrgetter("level")):
        for result in of_level:
            rows.add_row(
                result.level,
                result.network,
                "that lead back" if result.cyclic else "all",
                *(f"{result.accuracy[name]:.3f}" for name in names),
                f"{result.matches:.0f} of {result.keypoints:.0f}",
            )
        rows.add_section()
    return rows
