"""Evaluates what a node published while a bag was played into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_frames, require_poses, truth_topic
from dense_reloc_ros.bags.odometry import read_odometry
from dense_reloc_ros.devices import find_device
from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.ground_truth import check_ground_truth
from dense_reloc_ros.evaluation.metrics.map_to_odom import with_odometry
from dense_reloc_ros.evaluation.replay.bag_replay import ReplayOptions, replay
from dense_reloc_ros.evaluation.replay.published_results import PublishedResult, record_result
from dense_reloc_ros.evaluation.report.report_folder import make_folder, report_run
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, Summary
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.reader import load_map

LOG_FILE = "relocalizer.log"


def replay_and_report(
    options: ReplayOptions, folder: Path, ground_truth: Trajectory | str | None = None
) -> Summary:
    """Replays a bag and writes the report, with the node's log beside it, into a folder.

    The true poses are `ground_truth`, or those on the topic that it names, or else those on
    /ground_truth/pose, if it is in the bag.

    Raises:
        InputError: a bag or a folder that cannot be used.
        MapError: a map that cannot be used.
        RelocError: no ROS 2, or a node that failed or answered nothing.
    """
    scene_map = load_map(options.map)
    make_folder(folder)
    with BagReader(options.bag) as bag:
        trajectory = ground_truth if isinstance(ground_truth, Trajectory) else None
        frames = _frames(bag, options, ground_truth)
        results = replay(options, folder / LOG_FILE)
        if not results:
            raise RelocError(
                f"the node answered none of {len(frames)} images within {options.timeout:g} s; "
                f"see {folder / LOG_FILE}"
            )
        records = record_results(frames, results, trajectory)
        records = with_odometry(records, read_odometry(bag, options.image_topic))
        pace = "in lockstep" if options.rate is None else f"at rate {options.rate:g}"
        information = RunInformation(
            method=results[0].method,
            device=str(find_device(results[0].device)),
            map_revision=results[0].map_revision,
            map=str(options.map),
            queries=str(options.bag),
            mode=f"replay {'with fusion ' if options.fusion else ''}{pace}",
        )
        return report_run(folder, records, information, frames, scene_map)


def _frames(
    bag: BagReader, options: ReplayOptions, ground_truth: Trajectory | str | None
) -> list[SourceFrame]:
    """The frames of a bag, checked to have a ground truth where one is named."""
    topic = None if isinstance(ground_truth, Trajectory) else ground_truth or truth_topic(bag)
    frames = read_frames(bag, options.image_topic, pose_topic=topic, rectified=options.rectified)
    if isinstance(ground_truth, Trajectory):
        check_ground_truth([frame.stamp for frame in frames], ground_truth)
    elif ground_truth is not None:
        require_poses(bag, ground_truth, frames)
    return frames


def record_results(
    frames: Sequence[SourceFrame],
    results: Sequence[PublishedResult],
    ground_truth: Trajectory | None,
) -> list[FrameRecord]:
    """A record for each frame, with the result to its stamp where there is one."""
    by_time = {result.stamp: result for result in results}
    records = []
    for frame in frames:
        result = by_time.get(frame.stamp)
        truth = frame.T_map_camera if ground_truth is None else ground_truth.at(frame.stamp)
        records.append(record_result(frame.stamp, frame.name, result, truth))
    return records
