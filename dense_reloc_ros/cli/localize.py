"""`dense-reloc localize`: localizes recorded images against a map, without ROS."""

from __future__ import annotations

import argparse
from pathlib import Path

from dense_reloc_ros.cli.configuration_options import (
    add_configuration,
    fusion_configuration,
    localizer_configuration,
)
from dense_reloc_ros.cli.query_source import add_query_options


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `localize` command."""
    parser = subparsers.add_parser(
        "localize",
        help="localize recorded images against a map, and report how well",
        description="Writes poses.tum, errors.csv, frames.json, report.json, report.html, plots.",
    )
    add = parser.add_argument
    add("--map", type=Path, required=True, metavar="MAP", help="folder of the map")
    add_query_options(parser)
    add(
        "--ground-truth",
        type=Path,
        metavar="TUM",
        help="true camera poses to compare with; those beside the images, if not given",
    )
    add(
        "--ground-truth-topic",
        metavar="TOPIC",
        help="true camera poses in the bag (default: /ground_truth/pose, if it is there)",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
    add("--method", metavar="M", help="how to localize; the map's own by default")
    add("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    add(
        "--fusion",
        action="store_true",
        help="fuse the frames over time, as the node temporal_fusion does",
    )
    add_configuration(parser)
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights that the map was built with, where these are not the network's own",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `localize`."""
    from dense_reloc_ros.cli.query_source import open_odometry, open_queries
    from dense_reloc_ros.cli.report_table import print_report
    from dense_reloc_ros.configuration import FeaturesConfiguration
    from dense_reloc_ros.evaluation.metrics.ground_truth import check_ground_truth
    from dense_reloc_ros.evaluation.metrics.map_to_odom import with_odometry
    from dense_reloc_ros.evaluation.replay.offline import (
        localize_frames,
        localize_together,
        whole_video,
    )
    from dense_reloc_ros.evaluation.report.report_folder import make_folder, report_run
    from dense_reloc_ros.evaluation.report.run_summary import RunInformation
    from dense_reloc_ros.geometry.trajectory import read_tum
    from dense_reloc_ros.localization.factory import open_localizer
    from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

    configuration = localizer_configuration(arguments)
    of_fusion = fusion_configuration(arguments)
    if arguments.weights:
        features = FeaturesConfiguration(weights=str(arguments.weights))
        configuration = configuration.model_copy(update={"features": features})
    ground_truth = read_tum(arguments.ground_truth) if arguments.ground_truth else None
    make_folder(arguments.output)
    with open_queries(arguments) as frames:
        if ground_truth is not None:
            check_ground_truth([frame.stamp for frame in frames], ground_truth)
        localizer = open_localizer(arguments.map, configuration, arguments.method, arguments.device)
        odometry = open_odometry(arguments)
        if arguments.fusion:
            video = whole_video(TemporalLocalizer(localizer, of_fusion, odometry))
            records = localize_frames(video, frames, ground_truth)
        else:
            records = localize_together(localizer, frames, ground_truth)
        records = with_odometry(records, odometry)
        information = RunInformation(
            method=localizer.method,
            device=str(localizer.device),
            map_revision=localizer.scene_map.information.revision,
            map=str(arguments.map),
            queries=str(arguments.seven_scenes or arguments.bag or arguments.images),
            mode="localize with fusion over time" if arguments.fusion else "localize",
        )
        summary = report_run(arguments.output, records, information, frames, localizer.scene_map)
    print_report(summary, arguments.output)
    return 0
