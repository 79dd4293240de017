"""`dense-reloc bench scenes`: methods in photographed scenes, each mapped by half of its images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import positive

if TYPE_CHECKING:
    from rich.table import Table

    from dense_reloc_ros.evaluation.benchmarks.scene_accuracy import SceneResult


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench scenes` command."""
    parser = subparsers.add_parser(
        "scenes",
        help="localize in photographed scenes, each mapped by half of its images",
        description="Maps each scene by its images at even positions, from the points of its "
        "COLMAP model that two of these see, and localizes the others. Errors of position are "
        "shares of the scene's extent: the smaller one of the largest distance between cameras "
        "and the diameter of the ball that holds 90% of the points. Writes scenes.json.",
    )
    parser.add_argument(
        "--multiview",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with scenes.json and for each scene a folder with images and sparse",
    )
    parser.add_argument(
        "--split",
        choices=("test", "train"),
        default="test",
        help="which of the scenes; what is chosen by one cannot be measured by it (default: test)",
    )
    parser.add_argument("--scenes", nargs="+", metavar="NAME", help="only these of the split")
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="take every Nth query"
    )
    default = ["nre_feature_pnp", "sift_pnp"]
    parser.add_argument(
        "--methods",
        nargs="+",
        default=default,
        metavar="M",
        help=f"what to compare (default: {' '.join(default)})",
    )
    parser.add_argument(
        "--network", metavar="N", help="dense features; the method's own by default"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the network, if not its own"
    )
    parser.add_argument(
        "--maps", type=Path, metavar="DIR", help="folder that keeps the maps, replacing older ones"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument("--config", type=Path, metavar="YAML", help="parameters of the localizer")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench scenes`."""
    from dense_reloc_ros.cli.bench.results import JsonFile, print_table
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.configuration import (
        FeaturesConfiguration,
        LocalizerConfiguration,
        load_configuration,
    )
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.scene_accuracy import (
        SceneMaps,
        localize_scene,
        totals,
    )
    from dense_reloc_ros.evaluation.benchmarks.scenes import read_scene, scene_names
    from dense_reloc_ros.localization.methods import find_method

    file = JsonFile(arguments.output, "scenes.json")
    configuration = (
        load_configuration(arguments.config) if arguments.config else LocalizerConfiguration()
    )
    if arguments.weights:
        features = FeaturesConfiguration(weights=str(arguments.weights))
        configuration = configuration.model_copy(update={"features": features})
    device = find_device(arguments.device)
    methods = [find_method(name) for name in arguments.methods]
    names = scene_names(arguments.multiview, arguments.split, arguments.scenes)
    results: list[SceneResult] = []
    with _folder(arguments.maps) as folder:
        maps = SceneMaps(methods, arguments.network, configuration, folder, device)
        for name in names:
            scene = read_scene(arguments.multiview / name)
            with ExitStack() as bars:
                paths = maps.build(scene, ProgressBars(bars))
            results += localize_scene(
                scene, paths, arguments.methods, configuration, device, arguments.every
            )
    results += totals(results)
    print_table(table(results, f"{arguments.split} scenes of {arguments.multiview}"))
    file.write(results)
    return 0


def table(results: Sequence[SceneResult], queries: str) -> Table:
    """A row for each scene and method, and at the end for all scenes together."""
    from rich.table import Table

    rows = Table(
        "scene",
        "method",
        "network",
        "keyframes",
        "queries",
        "within 5°, 5%",
        "without a pose",
        "outside",
        "median error",
        "ms",
        title=f"{queries}: errors of position as shares of the scene's extent",
    )
    for column in rows.columns[3:]:
        column.justify = "right"
    for _, of_scene in groupby(results, key=attrgetter("scene")):
        for result in of_scene:
            rows.add_row(
                result.scene,
                result.method,
                result.network,
                str(result.keyframes),
                str(result.queries),
                f"{result.within:.3f}",
                str(result.queries - result.localized),
                str(result.outside),
                _median_error(result),
                "-" if result.median_ms is None else f"{result.median_ms:.0f}",
            )
        rows.add_section()
    return rows


def _median_error(result: SceneResult) -> str:
    if result.median_rotation_deg is None or result.median_translation_share is None:
        return "-"
    return f"{result.median_rotation_deg:.2f}°, {100 * result.median_translation_share:.2f}%"


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The given folder, or a temporary one."""
    if given:
        yield given
        return
    with TemporaryDirectory(prefix="dense-reloc-") as name:
        yield Path(name)
