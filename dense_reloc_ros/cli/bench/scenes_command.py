"""`dense-reloc bench scenes`: methods in many scenes, each with its own map and queries."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, get_args

from dense_reloc_ros.cli.bench.options import (
    add_degradations,
    add_device,
    add_kept_maps,
    add_names,
    add_run_options,
    positive,
)
from dense_reloc_ros.cli.configuration_options import localizer_configuration

if TYPE_CHECKING:
    import torch

    from dense_reloc_ros.configuration import LocalizerConfiguration
    from dense_reloc_ros.evaluation.benchmarks.condition_results import ConditionResult
    from dense_reloc_ros.evaluation.benchmarks.frame_table import ElsewhereResult
    from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, QuerySet
    from dense_reloc_ros.evaluation.benchmarks.scene_list import Scene

METHODS = ("nre_feature_pnp", "sift_pnp")
SHOWN_THRESHOLDS = ("2cm_2deg", "5cm_5deg", "25cm_2deg", "25cm_5deg", "50cm_5deg")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench scenes` command."""
    parser = subparsers.add_parser(
        "scenes",
        help="localize in scenes of RGB-D frames, COLMAP models and photographs",
        description="Maps each scene of a list and localizes its queries. In scenes whose unit of "
        "length is arbitrary the scene's extent counts as a metre: the smaller one of the largest "
        "distance between cameras and the diameter of the ball that holds 90% of the points. "
        "Writes scenes.json, and the table of all frames as scenes.csv.",
    )
    _add_scene_options(parser)
    add_names(parser, "--methods", METHODS, "what to compare")
    add_degradations(parser, ("clean",))
    parser.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="how often queries are degraded at random, each time differently (default: 1)",
    )
    parser.add_argument(
        "--cross",
        action="store_true",
        help="localize each scene's queries in the maps of all other scenes, where any pose is "
        "wrong; writes cross.json and cross.csv",
    )
    parser.add_argument(
        "--network", metavar="N", help="dense features; the method's own by default"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the network, if not its own"
    )
    add_kept_maps(parser)
    add_device(parser)
    add_run_options(parser)
    parser.set_defaults(run=run)


def _add_scene_options(parser: argparse.ArgumentParser) -> None:
    scenes = parser.add_mutually_exclusive_group(required=True)
    scenes.add_argument(
        "--scene-list",
        type=Path,
        metavar="YAML",
        help="scenes with their maps and queries; config/bench/scenes.yaml is an example",
    )
    scenes.add_argument(
        "--multiview",
        type=Path,
        metavar="DIR",
        help="folder with scenes.json and for each scene a folder with images and sparse: every "
        "second image maps it, from points that two of these see, and the others query it",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder that the paths of the list begin in (default: the current one)",
    )
    parser.add_argument(
        "--split",
        choices=("test", "train"),
        default="test",
        help="which of the multiview scenes; what is chosen by one cannot be measured by it "
        "(default: test)",
    )
    parser.add_argument("--scenes", nargs="+", metavar="NAME", help="only these scenes")


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench scenes`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.degraded_frames import expand
    from dense_reloc_ros.evaluation.benchmarks.frame_table import write_frames
    from dense_reloc_ros.evaluation.benchmarks.runner import run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.systems import open_systems

    name = "cross" if arguments.cross else "scenes"
    file = JsonFile(arguments.output, f"{name}.json")
    expand(arguments.degradations)
    configuration, device = _configuration(arguments), find_device(arguments.device)
    rows: list[FrameRow] = []
    with map_folder(arguments) as folder:
        mapped = list(_mapped_scenes(arguments, configuration, device, folder))
        for scene, paths in mapped:
            systems = open_systems(paths, arguments.methods, configuration, device)
            others = [other for other, _ in mapped if other.place != scene.place]
            for queries in (
                [_untrue(other.queries) for other in others] if arguments.cross else [scene.queries]
            ):
                seeds = range(arguments.seeds)
                rows += run_benchmark(systems, queries, arguments.degradations, seeds)
            if arguments.output:
                # After each scene, so that a run that is interrupted leaves what it has found.
                write_frames(arguments.output / f"{name}.csv", rows)
    file.write(_print_cross(rows) if arguments.cross else _print_scenes(rows))
    return 0


def _untrue(queries: QuerySet) -> QuerySet:
    """The queries without their poses, which mean nothing in another map."""
    return replace(queries, frames=[replace(f, T_map_camera=None) for f in queries.frames])


def _print_scenes(rows: Sequence[FrameRow]) -> list[ConditionResult]:
    """A table for each system, with all scenes together at its end."""
    from dense_reloc_ros.cli.bench.result_table import print_results
    from dense_reloc_ros.evaluation.benchmarks.condition_results import (
        condition_results,
        pooled_results,
    )

    results = [*condition_results(rows), *pooled_results(rows)]
    for method in dict.fromkeys(result.method for result in results):
        of_method = [result for result in results if result.method == method]
        print_results(
            of_method,
            scene_columns(),
            f"{method} on {of_method[0].device}: share of all queries within …",
            attrgetter("queries"),
            names=2,
            caption="wrong: published, and more than 0.25 m or 10° off, and their share of the "
            "published ones at most, with 95% confidence; NEES: share within its 95% "
            "bounds; ECE: expected calibration error; AUROC: of score, confidence. Where the unit "
            "is arbitrary, the extent of the scene is the metre.",
        )
    return results


def scene_columns() -> Mapping[str, Callable[[ConditionResult], str]]:
    """What is shown of a result."""
    from dense_reloc_ros.cli.bench.result_table import (
        calibration_error,
        median_error,
        number,
        share_within,
        threshold_name,
    )
    from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS

    thresholds = {name: RECALL_THRESHOLDS[name] for name in SHOWN_THRESHOLDS}
    return {
        "scene": attrgetter("queries"),
        "degradation": attrgetter("level"),
        "queries": lambda result: str(result.frames),
        "published": lambda result: str(result.localized),
        **{threshold_name(t): share_within(name) for name, t in thresholds.items()},
        "wrong": _wrong,
        "median error": median_error,
        "ms": lambda result: number(result.latency_ms.median, 0),
        "NEES": lambda result: number(result.nees.within_95 if result.nees else None, 2),
        "ECE": calibration_error,
        "AUROC": lambda result: (
            f"{number(result.auroc_score, 2)}, {number(result.auroc_confidence, 2)}"
        ),
    }


def _print_cross(rows: Sequence[FrameRow]) -> list[ElsewhereResult]:
    """A table for each system; what counts is that nothing is published."""
    from dense_reloc_ros.cli.bench.result_table import number, print_results
    from dense_reloc_ros.evaluation.benchmarks.frame_table import elsewhere_results

    columns: dict[str, Callable[[ElsewhereResult], str]] = {
        "map": attrgetter("map"),
        "queries": attrgetter("queries"),
        "degradation": attrgetter("level"),
        "attempts": lambda result: str(result.attempts),
        "published": lambda result: str(result.published),
        "highest score": lambda result: number(result.highest_score, 3),
        "highest confidence": lambda result: number(result.highest_confidence, 3),
    }
    results = elsewhere_results(rows)
    for method in dict.fromkeys(result.method for result in results):
        of_method = [result for result in results if result.method == method]
        attempts = sum(result.attempts for result in of_method)
        published = sum(result.published for result in of_method)
        highest = max((result.highest_confidence or 0.0 for result in of_method), default=0.0)
        title = (
            f"{method}: {published} of {attempts} published in maps of other places, at most "
            f"{_bound(published, attempts)} with 95% confidence; highest confidence {highest:.3f}"
        )
        print_results(of_method, columns, title, attrgetter("map"))
    return results


def _wrong(result: ConditionResult) -> str:
    """How many of the published poses are wrong, and the share that this leaves at most."""
    if result.wrong is None:
        return "-"
    return f"{result.wrong} (≤ {_bound(result.wrong, result.localized)})"


def _bound(events: int, trials: int) -> str:
    from dense_reloc_ros.evaluation.metrics.rates import largest_rate

    return f"{100 * largest_rate(events, trials):.3g}%"


def _mapped_scenes(
    arguments: argparse.Namespace,
    configuration: LocalizerConfiguration,
    device: torch.device,
    folder: Path,
) -> Iterator[tuple[Scene, list[Path]]]:
    """The chosen scenes with their maps in a folder."""
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.evaluation.benchmarks.scene_list import (
        chosen_scenes,
        load_scenes,
        multiview_scenes,
        open_scene,
    )
    from dense_reloc_ros.evaluation.benchmarks.scene_maps import SceneMaps
    from dense_reloc_ros.localization.method import Stored
    from dense_reloc_ros.localization.methods import find_method

    if arguments.multiview:
        data, entries = arguments.multiview, multiview_scenes(arguments.multiview, arguments.split)
    else:
        data, entries = arguments.data, load_scenes(arguments.scene_list)
    methods = [find_method(name) for name in arguments.methods]
    chosen = chosen_scenes(entries, arguments.scenes)
    maps = SceneMaps(methods, arguments.network, configuration, folder, device, arguments.rebuild)
    needed: list[Stored] = [method.stored for method in methods]
    if configuration.search.last_resort != "none":
        needed.append("images")
    stored = max(needed, key=get_args(Stored).index)
    for entry in chosen:
        scene = open_scene(entry, data, arguments.every)
        with ExitStack() as bars:
            yield scene, maps.of(scene, ProgressBars(bars), stored)


def _configuration(arguments: argparse.Namespace) -> LocalizerConfiguration:
    from dense_reloc_ros.configuration import FeaturesConfiguration

    configuration = localizer_configuration(arguments)
    if arguments.weights is None:
        return configuration
    features = FeaturesConfiguration(weights=str(arguments.weights))
    return configuration.model_copy(update={"features": features})


@contextmanager
def map_folder(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder of the maps: the given one, one in the output, or a temporary one."""
    if arguments.maps or arguments.output:
        folder = arguments.maps or arguments.output / "maps"
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with TemporaryDirectory(prefix="dense-reloc-") as name:
        yield Path(name)
