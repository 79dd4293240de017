"""`dense-reloc bench loop-closure`: what localized images make of odometry that drifts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.cli.bench.options import add_device, add_run_options, positive
from dense_reloc_ros.cli.query_source import add_query_options

if TYPE_CHECKING:
    from dense_reloc_ros.configuration import LocalizerConfiguration
    from dense_reloc_ros.evaluation.benchmarks.closing_results import ClosingSummary
    from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
    from dense_reloc_ros.geometry.trajectory import Trajectory
    from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench loop-closure` command."""
    parser = subparsers.add_parser(
        "loop-closure",
        help="close a trajectory of drifting odometry by localized images",
        description="Localizes images with true poses, simulates odometry that drifts along the "
        "true path, and closes it in a pose graph of GTSAM by the constraints of the localized "
        "images; also with a share of deliberately wrong constraints among them. Writes "
        "loop_closure.json, and the report of the localization with the paths drawn in it.",
    )
    parser.add_argument("--map", type=Path, required=True, metavar="MAP", help="folder of the map")
    add_query_options(parser)
    parser.add_argument(
        "--ground-truth",
        type=Path,
        metavar="TUM",
        help="true camera poses; those beside the images, if not given",
    )
    add_run_options(parser)
    add_device(parser)
    add = parser.add_argument
    add("--drift", type=float, default=0.02, metavar="S", help="share of the way (default: 0.02)")
    add(
        "--gyro-bias",
        type=float,
        default=0.1,
        metavar="D",
        help="degrees per second (default: 0.1)",
    )
    add(
        "--lead-in",
        type=Path,
        metavar="DIR",
        help="folder in the layout of 7-Scenes with true poses of the same recording: odometry "
        "begins at its first frame, and has drifted when the images begin",
    )
    add(
        "--laps",
        nargs="+",
        type=positive,
        default=[1],
        metavar="N",
        help="walk the path forth and back, N times in all; each number gives a table (default: 1)",
    )
    add(
        "--wrong",
        type=float,
        default=0.1,
        metavar="S",
        help="share of the constraints that is made wrong (default: 0.1)",
    )
    add(
        "--wrong-map",
        type=Path,
        metavar="MAP",
        help="take the wrong ones from the best poses in this map, believed or not; if not given, "
        "from the map itself with its origin 2 m away",
    )
    add(
        "--seeds",
        nargs="+",
        type=int,
        default=[0, 1, 2, 3, 4],
        metavar="N",
        help="of drift and wrong constraints (default: 0 1 2 3 4)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench loop-closure`."""
    from functools import partial

    from dense_reloc_ros.cli.bench.options import with_truth
    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.cli.configuration_options import localizer_configuration
    from dense_reloc_ros.cli.query_source import open_queries
    from dense_reloc_ros.evaluation.benchmarks.closing_results import summarize_closings
    from dense_reloc_ros.evaluation.benchmarks.loop_closing import (
        Drift,
        close_paths,
        walked,
    )
    from dense_reloc_ros.evaluation.benchmarks.loop_closing_plot import (
        LOOP_CLOSING_CAPTION,
        loop_closing_figure,
    )
    from dense_reloc_ros.evaluation.benchmarks.runner import check_truth
    from dense_reloc_ros.evaluation.replay.offline import localize_frames, single_images
    from dense_reloc_ros.evaluation.report.pictures import Drawing
    from dense_reloc_ros.evaluation.report.report_folder import write_report
    from dense_reloc_ros.evaluation.report.run_summary import RunInformation
    from dense_reloc_ros.localization.factory import open_localizer

    file = JsonFile(arguments.output, "loop_closure.json")
    configuration = localizer_configuration(arguments)
    with open_queries(arguments) as all_frames:
        frames = with_truth(all_frames[:: arguments.every], arguments.ground_truth)
        check_truth(frames)
        localizer = open_localizer(arguments.map, configuration, None, arguments.device)
        records = localize_frames(single_images(localizer), frames)
        lead_in = _lead_in(arguments, frames)
        wrong_records = _in_wrong_map(arguments, configuration, frames)
    drift, seeds = Drift(arguments.drift, arguments.gyro_bias), arguments.seeds
    source = str(arguments.seven_scenes or arguments.bag or arguments.images)
    summaries, drawings = [], {}
    for laps in arguments.laps:
        way, wrong = walked(records, laps), wrong_records and walked(wrong_records, laps)
        paths = list(close_paths(way, wrong, drift, arguments.wrong, seeds, lead_in))
        found = summarize_closings([one for path in paths for one in path.results], laps)
        path = paths[0]
        title = f"{source}: {len(path.truth)} poses, {path.metres:.1f} m, {len(seeds)} seeds"
        print_results(found, COLUMNS, title, lambda summary: "wrong" in summary.way, 1, CAPTION)
        summaries += found
        name = f"Loop closure, {laps} laps" if laps > 1 else "Loop closure"
        draw = partial(loop_closing_figure, path)
        drawings[f"loop_closure_{laps}"] = Drawing(name, LOOP_CLOSING_CAPTION, draw)
    file.write(summaries)
    if arguments.output:
        information = RunInformation(
            method=localizer.method,
            device=str(localizer.device),
            map_revision=localizer.scene_map.information.revision,
            map=str(arguments.map),
            queries=source,
            mode="bench loop-closure",
        )
        write_report(arguments.output, records, information, drawings=drawings)
        print(f"report: {arguments.output / 'report.html'}")
    return 0


def _lead_in(arguments: argparse.Namespace, frames: Sequence[SourceFrame]) -> Trajectory | None:
    """The true poses of the recording before the images; their camera does not matter."""
    from dense_reloc_ros.geometry.trajectory import Trajectory
    from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes

    if arguments.lead_in is None:
        return None
    before = read_seven_scenes(arguments.lead_in, frames[0].camera)
    known = [frame for frame in before if frame.T_map_camera is not None]
    return Trajectory.from_poses([f.stamp for f in known], [f.known_pose() for f in known])


def _in_wrong_map(
    arguments: argparse.Namespace,
    configuration: LocalizerConfiguration,
    frames: Sequence[SourceFrame],
) -> list[FrameRecord] | None:
    """The best poses in the wrong map of twice as many frames as are to be wrong, evenly spread."""
    from dense_reloc_ros.evaluation.benchmarks.systems import best_poses
    from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
    from dense_reloc_ros.evaluation.replay.offline import localize_frames
    from dense_reloc_ros.localization.factory import open_localizer

    if arguments.wrong_map is None or arguments.wrong <= 0:
        return None
    localizer = open_localizer(arguments.wrong_map, configuration, None, arguments.device)
    some = frames[:: max(1, round(0.5 / arguments.wrong))]
    found = localize_frames(best_poses(localizer), some, label="in the wrong map")
    poses = {record.stamp: record for record in found}
    blank = {frame.stamp: FrameRecord(frame.stamp, frame.name, None) for frame in frames}
    return list((blank | poses).values())


def _centimetres(metres: float) -> str:
    return f"{100 * metres:.2f}"


COLUMNS: Mapping[str, Callable[[ClosingSummary], str]] = {
    "way": lambda s: s.way,
    "constraints": lambda s: f"{s.constraints:g}",
    "wrong": lambda s: f"{s.wrong:g}",
    "ATE cm": lambda s: _centimetres(s.median.ate_m),
    "worst": lambda s: _centimetres(s.worst_ate_m),
    "times lower": lambda s: f"{s.times_lower:.1f}",
    "aligned ATE cm": lambda s: _centimetres(s.median.aligned_ate_m),
    "aligned lower": lambda s: f"{s.aligned_times_lower:.1f}",
    "rotation": lambda s: f"{s.median.rotation_deg:.2f}°",
}
CAPTION = (
    "root mean squares over all poses, median over the seeds; odometry starts at the true first "
    "pose; aligned: after the rigid motion that makes the error smallest"
)
