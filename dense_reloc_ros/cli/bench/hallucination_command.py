"""`dense-reloc bench hallucination`: NeurHal by task, and poses of pairs that overlap little."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_device, positive
from dense_reloc_ros.cli.configuration_options import add_configuration, localizer_configuration

if TYPE_CHECKING:
    from dense_reloc_ros.geometry.camera import Camera
    from dense_reloc_ros.neurhal.hallucinator import NeurHal
    from dense_reloc_ros.training.hallucination_benchmark import PairResult

LIMITS = ((1.5, 20.0), (0.5, 10.0))
"""Metres and degrees of a pose that counts as found."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench hallucination` command."""
    parser = subparsers.add_parser(
        "hallucination",
        help="points that are seen, hidden or outside by NeurHal, and poses of pairs that overlap "
        "little",
        description="Draws pairs of frames by their overlap and looks for the points of one in the "
        "other: NRE and distance of the best cell by task, beside a map that knows nothing; then "
        "the share of poses found by these maps alone, and by the method on a map of the one "
        "frame, beside nre_feature_pnp and sift_pnp; all their poses counted.",
    )
    add = parser.add_argument
    add(
        "scenes",
        nargs="+",
        type=Path,
        metavar="SCENE",
        help="folder in the layout of 7-Scenes with depth, or with such a folder map/ in it, and "
        "camera_info.yaml",
    )
    add("--variant", default="neurhal_compact", metavar="V", help="neurhal_compact or neurhal")
    add("--every", type=positive, default=1, metavar="N", help="take every Nth frame")
    add("--pairs", type=positive, default=20, metavar="N", help="pairs in each bin of overlap")
    add("--alone", action="store_true", help="do not compare with other methods")
    add_device(parser)
    add_configuration(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench hallucination`."""
    from dense_reloc_ros.devices import find_device
    from dense_reloc_ros.neurhal.hallucinator_weights import open_hallucinator

    weights = localizer_configuration(arguments).neurhal.weights
    network = open_hallucinator(
        arguments.variant, find_device(arguments.device), Path(weights) if weights else None
    )
    for scene in arguments.scenes:
        results = _measured(arguments, network, scene)
        _print_tasks(scene, network, results)
        _print_poses(scene, results)
    return 0


def _measured(arguments: argparse.Namespace, network: NeurHal, scene: Path) -> list[PairResult]:
    from dataclasses import replace

    from tqdm import tqdm

    from dense_reloc_ros.features.extractors import create_extractor
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
    from dense_reloc_ros.training.data.depth_frames import load_depth_frame
    from dense_reloc_ros.training.hallucination_benchmark import (
        drawn_pairs,
        measured,
        scene_views,
    )
    from dense_reloc_ros.training.pair_competitors import Competitors

    configuration = localizer_configuration(arguments)
    folder = scene / "map" if (scene / "map").is_dir() else scene
    frames = read_seven_scenes(folder, _camera(scene))[:: arguments.every]
    views = scene_views(network, [load_depth_frame(frame) for frame in frames])
    pairs = drawn_pairs(views.overlaps, arguments.pairs)
    others = None
    if not arguments.alone:
        extractor = create_extractor("compact", next(network.parameters()).device)
        others = Competitors(extractor, configuration, arguments.variant)
    results = []
    found = measured(network, views, pairs, configuration)
    for result in tqdm(found, desc=str(scene), total=len(pairs), disable=None):
        poses = dict(result.poses)
        if others is not None:
            pair = result.pair
            poses |= others.poses(frames[pair.source], frames[pair.target])
        results.append(replace(result, poses=poses))
    return results


def _camera(scene: Path) -> Camera:
    from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
    from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE

    own = scene / CAMERA_INFO_FILE
    return load_camera_info(own if own.is_file() else scene / "map" / CAMERA_INFO_FILE)


def _print_tasks(scene: Path, network: NeurHal, results: Sequence[PairResult]) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from dense_reloc_ros.neurhal.tasks import TASKS
    from dense_reloc_ros.training.hallucination_benchmark import PADDINGS, uniform_nre

    if not results:
        return
    table = Table(title=f"{scene}: points of {len(results)} pairs, by task")
    headings = ["task", "points", *(f"NRE, γ {share:.0%}" for share in PADDINGS)]
    for heading in (*headings, "below uniform", "best cell off by"):
        table.add_column(heading)
    tasks = np.concatenate([result.tasks for result in results])
    pixels = np.concatenate([result.pixels for result in results])
    nres = {s: np.concatenate([result.nres[s] for result in results]) for s in PADDINGS}
    for task in TASKS:
        of_task = tasks == task
        if not of_task.any():
            continue
        known = [nres[s][of_task & ~np.isnan(nres[s])] for s in PADDINGS]
        means = [float(one.mean()) if len(one) else math.nan for one in known]
        below = (nres[PADDINGS[-1]][of_task] < uniform_nre(network, PADDINGS[-1])).mean()
        table.add_row(
            task.name.lower(),
            str(int(of_task.sum())),
            *("-" if math.isnan(mean) else f"{mean:.2f}" for mean in means),
            f"{below:.2f}",
            f"{np.median(pixels[of_task]):.0f} of 640 px",
        )
    uniform = [f"{uniform_nre(network, share):.2f}" for share in PADDINGS]
    table.add_row("a uniform map", "", *uniform, "", "")
    Console(width=120).print(table)


def _print_poses(scene: Path, results: Sequence[PairResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    from dense_reloc_ros.training.hallucination_benchmark import OVERLAPS

    if not results:
        return
    bins = [*pairwise(OVERLAPS), (OVERLAPS[0], 0.15)]
    metres, degrees = zip(*LIMITS, strict=True)
    limits = ", ".join(f"{m:g} m {d:g}°" for m, d in zip(metres, degrees, strict=True))
    table = Table(title=f"{scene}: share of poses within {limits}, by overlap")
    table.add_column("method")
    counts = []
    for low, high in bins:
        chosen = [result for result in results if low <= result.pair.overlap < high]
        counts.append(chosen)
        table.add_column(f"{low:.0%}-{high:.0%} ({len(chosen)})")
    for method in results[0].poses:
        table.add_row(method, *(_shares(chosen, method) for chosen in counts))
    Console(width=120).print(table)


def _shares(results: Sequence[PairResult], method: str) -> str:
    if not results:
        return "-"
    shares = []
    for metres, degrees in LIMITS:
        good = [
            result.poses[method].translation < metres
            and math.degrees(result.poses[method].rotation) < degrees
            for result in results
        ]
        shares.append(f"{sum(good) / len(good):.2f}")
    return " ".join(shares)
