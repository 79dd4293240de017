"""Writes what an evaluation found into a folder: numbers, poses, plots, and a page of it all."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.contact_sheet import (
    ContactFrame,
    contact_frames,
)
from dense_reloc_ros.evaluation.report.failures import Failure, explain_failures
from dense_reloc_ros.evaluation.report.frame_results import FRAMES_FILE, frame_outcomes
from dense_reloc_ros.evaluation.report.html import render_html
from dense_reloc_ros.evaluation.report.pictures import Drawing, draw_pictures, left_out
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, Summary, summarize
from dense_reloc_ros.evaluation.report.space_view import space_scene
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.trajectory import Trajectory, format_stamp, write_tum
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.whole_file import legible, write_whole


def make_folder(folder: Path) -> None:
    """Makes the folder of a report, before the work whose results are to go there.

    Raises:
        InputError: a folder that cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: the report cannot be written: {error.strerror or error}"
        ) from None


def report_run(
    folder: Path,
    records: Sequence[FrameRecord],
    run: RunInformation,
    frames: Sequence[SourceFrame],
    scene_map: SceneMap,
) -> Summary:
    """As `write_report`, with pictures of the frames and explanations by the map.

    Raises:
        InputError: no frames, or a folder that cannot be written to.
    """
    summary = write_results(folder, records, run)
    pictures: Sequence[ContactFrame] = ()
    failures: Sequence[Failure] = ()
    records = [record.shifted(-scene_map.origin) for record in records]
    with left_out("the worst frames"):
        pictures = contact_frames(records, frames, scene_map)
    with left_out("the explanation of failures"):
        failures = explain_failures(records, frames, scene_map)
    keyframe_poses = scene_map.keyframe_poses.numpy()
    points = scene_map.points.numpy()
    _write_page(folder, records, summary, pictures, failures, keyframe_poses, points=points)
    return summary


def write_report(
    folder: Path,
    records: Sequence[FrameRecord],
    run: RunInformation,
    contact_frames: Sequence[ContactFrame] = (),
    failures: Sequence[Failure] = (),
    keyframe_poses: FloatArray | None = None,
    drawings: Mapping[str, Drawing] | None = None,
) -> Summary:
    """Writes what `write_results` does, then `report.html` and the plots.

    `contact_frames` are the pictures of the contact sheet, `failures` what the page explains, and
    `keyframe_poses` (K, 4, 4) those of the map, to be drawn; `drawings` are further plots, by the
    names of their files. What cannot be drawn is left out with a warning.

    Raises:
        InputError: no frames, or a folder that cannot be written to.
    """
    summary = write_results(folder, records, run)
    _write_page(folder, records, summary, contact_frames, failures, keyframe_poses, drawings)
    return summary


def write_results(folder: Path, records: Sequence[FrameRecord], run: RunInformation) -> Summary:
    """Writes `poses.tum`, `errors.csv`, `frames.json` and `report.json`, the last one last.

    Raises:
        InputError: no frames, or a folder that cannot be written to.
    """
    if not records:
        raise InputError("there are no frames to report on")
    records = [replace(r, name=legible(r.name), reason=legible(r.reason)) for r in records]
    run = replace(run, map=legible(run.map), queries=legible(run.queries))
    localized = {r.stamp: r for r in records if r.T_map_camera is not None}
    poses = [r.T_map_camera for r in localized.values() if r.T_map_camera is not None]
    trajectory = Trajectory.from_poses(list(localized), poses)
    names = [localized[int(stamp)].name for stamp in trajectory.stamps]
    with _written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_tum(folder / "poses.tum", trajectory, names)
        _write_errors(folder / "errors.csv", records)
        write_whole(folder / FRAMES_FILE, frame_outcomes(records))
        summary = summarize(records, run)
        text = summary.model_dump_json(indent=2)
        write_whole(folder / "report.json", text + "\n")
    return summary


def _write_page(
    folder: Path,
    records: Sequence[FrameRecord],
    summary: Summary,
    contact_frames: Sequence[ContactFrame],
    failures: Sequence[Failure],
    keyframe_poses: FloatArray | None,
    drawings: Mapping[str, Drawing] | None = None,
    points: FloatArray | None = None,
) -> None:
    scene = None
    with left_out("the trajectory in space"):
        scene = space_scene(records, keyframe_poses, points)
    pictures = draw_pictures(records, summary, contact_frames, keyframe_poses, drawings)
    with _written_to(folder):
        for name, picture in pictures.items():
            write_whole(folder / f"{name}.png", picture.png)
        with left_out("report.html"):
            page = render_html(summary, list(pictures.values()), failures, scene)
            write_whole(folder / "report.html", page)


@contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder}: the report cannot be written: {error.strerror or error}"
        ) from None


def _write_errors(path: Path, records: Sequence[FrameRecord]) -> None:
    """One line a frame; empty where there is no pose, no ground truth or no measurement."""
    columns = (
        "stamp name localized translation_m rotation_deg score confidence nees_over_6 latency_ms "
        "reason"
    )
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow(columns.split())
    for record in records:
        error = record.error
        writer.writerow(
            [
                format_stamp(record.stamp),
                record.name,
                int(record.is_localized),
                None if error is None else f"{error.translation:.6f}",
                None if error is None else f"{math.degrees(error.rotation):.6f}",
                _rounded(record.score),
                _rounded(record.confidence),
                _rounded(record.normalized_error),
                _rounded(record.latency_milliseconds),
                record.reason,
            ]
        )
    write_whole(path, lines.getvalue())


def _rounded(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
