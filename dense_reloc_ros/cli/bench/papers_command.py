"""`dense-reloc bench papers`: every system of the papers in one table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_device, add_kept_maps, positive
from dense_reloc_ros.cli.bench.scenes_command import map_folder
from dense_reloc_ros.cli.configuration_options import add_configuration, localizer_configuration

if TYPE_CHECKING:
    from dense_reloc_ros.evaluation.benchmarks.paper_list import PaperSystem
    from dense_reloc_ros.evaluation.benchmarks.paper_table import PaperResult

SHOWN_THRESHOLDS = ("2cm_2deg", "5cm_5deg", "25cm_5deg")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench papers` command."""
    parser = subparsers.add_parser(
        "papers",
        help="every system of the papers, in one table",
        description="Maps each scene of a list for each system, and localizes its queries: all of "
        "them by one system after the other, image by image. Writes papers.json, the table as "
        "papers.md, and the table of all frames as papers.csv.",
    )
    parser.add_argument(
        "systems", type=Path, metavar="YAML", help="the systems: config/bench/papers.yaml"
    )
    parser.add_argument(
        "--scene-list",
        type=Path,
        required=True,
        metavar="YAML",
        help="the scenes: config/bench/papers_scenes.yaml, or papers_small.yaml for a first look",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder that the paths of the list begin in (default: the current one)",
    )
    parser.add_argument("--scenes", nargs="+", metavar="NAME", help="only these scenes")
    parser.add_argument(
        "--every", type=positive, metavar="N", help="take every Nth query, whatever the list says"
    )
    parser.add_argument("--methods", nargs="+", metavar="M", help="only the systems with these")
    add_kept_maps(parser)
    add_device(parser)
    add_configuration(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench papers`."""
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.cli.progress_bars import ProgressBars
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.evaluation.benchmarks.condition_results import condition_results
    from dense_reloc_ros.evaluation.benchmarks.frame_table import write_frames
    from dense_reloc_ros.evaluation.benchmarks.paper_list import load_paper_scenes, load_systems
    from dense_reloc_ros.evaluation.benchmarks.paper_table import (
        PaperSystems,
        markdown,
        paper_results,
    )
    from dense_reloc_ros.evaluation.benchmarks.runner import run_benchmark
    from dense_reloc_ros.evaluation.benchmarks.scene_list import open_scene

    file = JsonFile(arguments.output, "papers.json")
    papers = load_systems(arguments.systems, arguments.methods)
    entries = load_paper_scenes(arguments.scene_list, arguments.scenes)
    configuration, device = localizer_configuration(arguments), find_device(arguments.device)
    _print_systems(papers)
    results: list[PaperResult] = []
    rows = []
    with map_folder(arguments) as folder:
        systems = PaperSystems(papers, configuration, folder, device, arguments.rebuild)
        for entry in entries:
            scene = open_scene(entry, arguments.data, arguments.every or entry.every)
            with ExitStack() as bars:
                opened = systems.on(scene, ProgressBars(bars))
            found = run_benchmark([o.system for o in opened], scene.queries, entry.degradations)
            rows += found
            results += paper_results(opened, condition_results(found))
            # After each scene, so that a run that is interrupted leaves what it has found.
            file.write(results)
            if arguments.output:
                write_frames(arguments.output / "papers.csv", rows)
                (arguments.output / "papers.md").write_text(markdown(results), encoding="utf-8")
    print_results(
        results,
        result_columns(),
        "share of all queries within …",
        lambda result: (result.scene, result.level),
        caption="wrong: published, and more than 0.25 m or 10° off. Where the unit of a scene is "
        "arbitrary, its extent is the metre.",
    )
    return 0


def result_columns() -> Mapping[str, Callable[[PaperResult], str]]:
    """What is shown of a system in a scene."""
    from dense_reloc_ros.cli.bench.result_table import number, threshold_name
    from dense_reloc_ros.evaluation.benchmarks.paper_table import median_of
    from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS

    def share(name: str) -> Callable[[PaperResult], str]:
        return lambda result: number(result.recall.get(name), 3)

    return {
        "scene": attrgetter("scene"),
        "condition": attrgetter("level"),
        "system": attrgetter("system"),
        **{threshold_name(RECALL_THRESHOLDS[name]): share(name) for name in SHOWN_THRESHOLDS},
        "published": lambda result: f"{result.localized} of {result.queries}",
        "wrong": lambda result: str(result.wrong),
        "median error": median_of,
        "ms": lambda result: number(result.frame_ms, 0),
        "memory": lambda result: number(result.memory_mb, 0, " MB"),
        "map": lambda result: number(result.map_mb, 1, " MB"),
    }


def _print_systems(systems: Sequence[PaperSystem]) -> None:
    """What runs, and what it was trained on."""
    from dense_reloc_ros.cli.bench.result_table import number, print_results
    from dense_reloc_ros.evaluation.benchmarks.paper_list import training_of

    trained = {one: training_of(one) for one in systems}

    def parameters(system: PaperSystem) -> str:
        count = trained[system].parameters
        return "-" if count is None else f"{count / 1e6:.2f} M"

    columns: dict[str, Callable[[PaperSystem], str]] = {
        "system": attrgetter("published"),
        "method": attrgetter("name"),
        "variant": attrgetter("variant"),
        "weights": lambda system: trained[system].weights,
        "data": lambda system: trained[system].data,
        "as the paper says": attrgetter("paper"),
        "parameters": parameters,
        "hours": lambda system: number(trained[system].hours, 1),
    }
    print_results(systems, columns, "The systems of the papers", lambda _: None, names=6)
