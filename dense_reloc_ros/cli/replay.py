"""`dense-reloc replay`: plays a bag into the real nodes, and reports what they published."""

from __future__ import annotations

import argparse
from pathlib import Path

from dense_reloc_ros.cli.camera_options import add_rectified, rectified_choice
from dense_reloc_ros.cli.configuration_options import add_settings


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `replay` command."""
    parser = subparsers.add_parser(
        "replay",
        help="run the ROS 2 nodes on a bag, and report how well they localized it",
        description="Starts the relocalizer node as a process of its own, in a ROS domain of its "
        "own, plays the bag into it and evaluates what it publishes. Needs ROS 2.",
    )
    add = parser.add_argument
    add("--map", type=Path, required=True, metavar="MAP", help="folder of the map")
    add("--bag", type=Path, required=True, metavar="BAG", help="rosbag2 (mcap or sqlite3)")
    add("--image-topic", metavar="TOPIC", help="images in the bag, where there are several")
    add(
        "--other-cameras",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="images of further cameras in the bag, that are localized together with the first's",
    )
    add_rectified(parser)
    add(
        "--ground-truth",
        type=Path,
        metavar="TUM",
        help="true camera poses to compare with; those in the bag, if not given",
    )
    add(
        "--ground-truth-topic",
        metavar="TOPIC",
        help="true camera poses in the bag (default: /ground_truth/pose, if it is there)",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--rate", type=_positive, default=1.0, metavar="R", help="speed of playing (default 1)"
    )
    pace.add_argument(
        "--lockstep",
        action="store_true",
        help="send each image when the one before is answered, so that none is dropped",
    )
    add(
        "--timeout",
        type=_positive,
        default=30.0,
        metavar="S",
        help="seconds after which an image counts as not localized (default 30)",
    )
    add(
        "--params-file",
        type=Path,
        metavar="YAML",
        help="instead of the package's config/reloc.yaml",
    )
    add_settings(parser, "the nodes")
    add("--method", metavar="M", help="how to localize; the map's own by default")
    add("--device", help="auto, cpu, cuda or cuda:N; overrides the parameter file")
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights that the map was built with, where these are not the network's own",
    )
    add(
        "--fusion",
        action="store_true",
        help="run the node temporal_fusion, too, and evaluate what that one publishes",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `replay`."""
    from dense_reloc_ros.cli.report_table import print_report
    from dense_reloc_ros.evaluation.replay.bag_replay import ReplayOptions
    from dense_reloc_ros.evaluation.report.replay_report import replay_and_report
    from dense_reloc_ros.geometry.trajectory import read_tum

    ground_truth = read_tum(arguments.ground_truth) if arguments.ground_truth else None
    options = ReplayOptions(
        map=arguments.map,
        bag=arguments.bag,
        rate=None if arguments.lockstep else arguments.rate,
        timeout=arguments.timeout,
        image_topic=arguments.image_topic,
        other_cameras=tuple(arguments.other_cameras),
        rectified=rectified_choice(arguments),
        parameter_file=arguments.params_file,
        settings=tuple(arguments.settings),
        method=arguments.method,
        device=arguments.device,
        weights=arguments.weights,
        fusion=arguments.fusion,
    )
    truth = ground_truth if ground_truth is not None else arguments.ground_truth_topic
    summary = replay_and_report(options, arguments.output, truth)
    print_report(summary, arguments.output)
    return 0


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
