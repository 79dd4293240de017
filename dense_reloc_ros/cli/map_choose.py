"""`dense-reloc map choose`: which map of a folder images belong to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.configuration_options import add_configuration, localizer_configuration
from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    from dense_reloc_ros.temporal.map_choice import MapChoice

LOOKS = 5
"""Images that are enough to tell."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map choose` command."""
    parser = subparsers.add_parser(
        "choose",
        help="find the map that images belong to",
        description="Localizes images in each map of a folder and prints the map that they belong "
        "to. Exit status 1 where none fits.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="folder of maps: floors, buildings")
    add_query_options(parser)
    add(
        "--count",
        type=int,
        default=LOOKS,
        metavar="N",
        help=f"images to localize, spread evenly over those given; {LOOKS} by default",
    )
    add("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    add_configuration(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `map choose`."""
    import numpy as np

    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.localization.factory import open_localizer
    from dense_reloc_ros.localization.localizer import Localizer
    from dense_reloc_ros.scene.map_folders import find_maps
    from dense_reloc_ros.temporal.belief import Belief
    from dense_reloc_ros.temporal.fusion_configuration import (
        BeliefConfiguration,
        MotionConfiguration,
    )
    from dense_reloc_ros.temporal.map_choice import Look, choose_map, try_map

    configuration = localizer_configuration(arguments)
    maps = find_maps(arguments.folder)
    with open_queries(arguments) as frames:
        numbers = np.unique(np.linspace(0, len(frames) - 1, max(1, arguments.count)).round())
        chosen = [frames[int(number)] for number in numbers]
        looks = [Look(frame.load_image(), frame.camera, frame.stamp) for frame in chosen]

    def open_map(path: Path) -> Localizer:
        return open_localizer(path, configuration, None, arguments.device)

    def belief() -> Belief:
        return Belief(BeliefConfiguration(), MotionConfiguration())

    trials = [try_map(path, open_map, looks, belief) for path in maps]
    choice = choose_map(trials, configuration.verification.least_confidence)
    print(table(choice))
    return 1 if choice.chosen is None else 0


def table(choice: MapChoice) -> str:
    """A line for each map, and the answer."""
    lines = [f"{'confidence':12}{'localized':12}map"]
    for trial, confidence in zip(choice.trials, choice.confidences, strict=True):
        if trial.problem:
            lines.append(f"{'-':12}{'-':12}{trial.problem}")
            continue
        share = f"{trial.published} of {len(trial.localizations)}"
        lines.append(f"{confidence:<12.3f}{share:12}{trial.path}")
    chosen = choice.chosen
    lines.append(choice.reason if chosen is None else f"{choice.trials[chosen].path}")
    return "\n".join(lines)
