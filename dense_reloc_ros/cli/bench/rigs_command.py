"""`dense-reloc bench rigs`: what several cameras, or several images in time, find together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_device, positive
from dense_reloc_ros.cli.configuration_options import add_configuration, localizer_configuration

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.rig_results import RigResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench rigs` command."""
    parser = subparsers.add_parser(
        "rigs",
        help="localize several images together: of cameras around a robot, and of a moving one",
        description="Walks through the room of `dense-reloc demo` with four cameras that look in "
        "all directions, in other light, with another half of each image covered. Localizes one "
        "camera alone, two back to back, four, and five images of one camera with odometry that "
        "drifts between them. Writes rigs.json.",
    )
    add = parser.add_argument
    add("--map", type=Path, required=True, metavar="MAP", help="that the demo of the seed made")
    add("--seed", type=int, default=0, help="that the demo was made with (default: 0)")
    add("--walk", type=int, default=1, metavar="N", help="seed of the walk (default: 1)")
    add("--moments", type=positive, default=40, metavar="N", help="of the walk (default: 40)")
    add(
        "--level",
        default="harsh",
        help="of the light: dim, dark, night or harsh (default); clean: nothing is covered, either",
    )
    add("--drift", type=float, default=0.02, metavar="S", help="of odometry (default: 0.02)")
    add(
        "--extrinsics-off",
        action="store_true",
        help="hang the cameras off their extrinsics by what rig.extrinsics_error_m and "
        "rig.extrinsics_error_deg say; without it they are exact",
    )
    add_configuration(parser)
    add_device(parser)
    add("--output", type=Path, metavar="DIR", help="folder for the numbers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench rigs`."""
    import numpy as np

    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.errors import ConfigurationError
    from dense_reloc_ros.evaluation.benchmarks.degraded_frames import CLEAN
    from dense_reloc_ros.evaluation.benchmarks.rig_results import localize_rigs, rig_results
    from dense_reloc_ros.images.light_levels import LEVELS
    from dense_reloc_ros.localization.factory import open_localizer
    from dense_reloc_ros.localization.rig_localizer import RigLocalizer
    from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
    from dense_reloc_ros.rendering.demonstration import CAMERA, DemonstrationPlace
    from dense_reloc_ros.rendering.rig_walk import EXACT, loosened, rig_walk

    level = None if arguments.level == CLEAN else arguments.level
    if level is not None and level not in LEVELS:
        known = ", ".join((CLEAN, *LEVELS))
        raise ConfigurationError(f"unknown level '{arguments.level}' (known: {known})")
    file = JsonFile(arguments.output, "rigs.json")
    configuration = localizer_configuration(arguments)
    localizer = open_localizer(arguments.map, configuration, None, arguments.device)
    if not isinstance(localizer, SparseToDenseLocalizer):
        raise ConfigurationError(f"method '{localizer.method}' localizes single images only")
    place = DemonstrationPlace.furnish(arguments.seed)
    walk = rig_walk(
        place.visited,
        place.room.walkway,
        CAMERA,
        arguments.moments,
        level,
        arguments.walk,
        arguments.drift,
    )
    rng = np.random.default_rng(arguments.walk)
    off = configuration.rig if arguments.extrinsics_off else EXACT
    moments = ((moment.T_map_camera, loosened(moment.rigs, off, rng)) for moment in walk)
    results = rig_results(localize_rigs(RigLocalizer(localizer), moments))
    title = f"{arguments.map.name}: {arguments.level}"
    if level is not None:
        title += ", half of each image covered"
    print_results(results, COLUMNS, title, lambda _: None, 1, CAPTION)
    file.write(results)
    return 0


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


COLUMNS: Mapping[str, Callable[[RigResult], str]] = {
    "rig": lambda result: result.rig,
    "moments": lambda result: str(result.moments),
    "localized": lambda result: f"{result.localized:.3f}",
    "5 cm, 5°": lambda result: f"{result.within_5cm_5deg:.3f}",
    "wrong": lambda result: str(result.wrong),
    "median cm": lambda result: _number(result.median_cm, 2),
    "deg": lambda result: _number(result.median_deg, 2),
    "NEES": lambda result: _number(result.nees, 1),
    "ms": lambda result: f"{result.milliseconds:.0f}",
    "times one": lambda result: f"{result.times_one:.2f}",
}
CAPTION = (
    "localized: published and within 0.25 m and 10 degrees; NEES: 6 where covariances are right; "
    "ms: processor time of a moment, median"
)
