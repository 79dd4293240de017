from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.scene_coordinates import CoordinateErrors
from dense_reloc_ros.evaluation.report import pictures, report_folder
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame
from dense_reloc_ros.evaluation.report.failures import Failure
from dense_reloc_ros.evaluation.report.frame_results import read_frame_outcomes
from dense_reloc_ros.evaluation.report.report_folder import write_report
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, count_reasons
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.trajectory import read_tum

RUN = RunInformation("nre", "cpu", "0123456789abcdef", "map", "<queries>", "localize")


@pytest.fixture
def records(make_record):
    return [
        make_record(0, 0.01, 0.5, score=0.9, latency_milliseconds=100.0),
        make_record(1, 0.50, 0.5, score=0.8, latency_milliseconds=200.0),
        make_record(2, localized=False, latency_milliseconds=300.0),
        make_record(3, 0.03, 3.0, stage_milliseconds={"features": 40.0}),
    ]


def contact_frame(record) -> ContactFrame:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3)) + np.array([0.0, 0.0, 5.0])
    in_map = points @ record.ground_truth[:3, :3].T + record.ground_truth[:3, 3]
    image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return ContactFrame(record, image, Camera(64, 48, 50, 50, 32, 24), in_map)


def test_report_json_has_the_fixed_keys_and_the_right_numbers(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames"], report["localized"], report["wrong"]) == (4, 3, 1)
    assert report["median_translation_m"] == pytest.approx(0.03)
    assert report["median_rotation_deg"] == pytest.approx(0.5)
    assert report["mean_translation_m"] == pytest.approx(0.18)
    assert report["mean_rotation_deg"] == pytest.approx(4 / 3)
    assert set(report["recall"]) == {
        "5cm_5deg",
        "2cm_2deg",
        "25cm_2deg",
        "25cm_5deg",
        "50cm_5deg",
        "5m_10deg",
    }
    assert report["recall"]["5cm_5deg"] == 0.5
    assert report["latency_ms"]["median"] == 200.0
    assert report["latency_ms"]["p95"] == pytest.approx(290.0)
    assert report["latency_ms"]["per_stage"]["features"] == {"median": 40.0, "p95": 40.0}
    assert (report["method"], report["device"]) == ("nre", "cpu")
    assert report["map_revision"] == "0123456789abcdef"
    assert report["rejected"] == {"too dark": 1}


def test_errors_of_scene_coordinates_are_reported(tmp_path: Path, records, make_record):
    write_report(tmp_path, records, RUN)
    assert json.loads((tmp_path / "report.json").read_text())["scene_coordinates"] is None
    assert not (tmp_path / "scene_coordinates.png").exists()
    errors = CoordinateErrors(np.array([0.015, 0.04, 0.3], np.float32), np.array([0.2, np.nan]))
    write_report(tmp_path, [*records, make_record(4, 0.01, coordinate_errors=errors)], RUN)
    reported = json.loads((tmp_path / "report.json").read_text())["scene_coordinates"]
    assert (reported["cells"], reported["median_m"]) == (3, pytest.approx(0.04))
    assert reported["within"]["5cm"] == pytest.approx(2 / 3)
    assert reported["candidates_m"] == [pytest.approx(0.2), None]
    assert cv2.imread(str(tmp_path / "scene_coordinates.png")) is not None
    page = (tmp_path / "report.html").read_text()
    assert "of 3 cells with a known depth, within" in page
    assert "4.00 cm" in page


def test_how_well_confidences_hold_is_reported(tmp_path: Path, records, make_record):
    write_report(tmp_path, records, RUN)
    assert json.loads((tmp_path / "report.json").read_text())["calibration"] is None
    assert not (tmp_path / "reliability.png").exists()
    write_report(tmp_path, [*records, make_record(4, 0.01, confidence=0.75)], RUN)
    calibration = json.loads((tmp_path / "report.json").read_text())["calibration"]
    assert calibration == {
        "frames": 1,
        "expected_calibration_error": 0.25,
        "bins": [{"frames": 1, "confidence": 0.75, "right": 1.0}],
    }
    assert cv2.imread(str(tmp_path / "reliability.png")) is not None
    page = (tmp_path / "report.html").read_text()
    assert len(re.findall("<img ", page)) == 4
    assert "0.250</td>" in page


def test_poses_are_those_that_were_published(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    poses = read_tum(tmp_path / "poses.tum")
    assert poses.stamps.tolist() == [0, 100_000_000, 300_000_000]
    np.testing.assert_allclose(poses.poses[1], records[1].T_map_camera, atol=1e-8)


def test_errors_csv_has_a_line_a_frame(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    with (tmp_path / "errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["localized"] for row in rows] == ["1", "1", "0", "1"]
    assert float(rows[1]["translation_m"]) == pytest.approx(0.5)
    assert float(rows[3]["rotation_deg"]) == pytest.approx(3.0)
    assert (rows[2]["translation_m"], rows[2]["reason"]) == ("", "too dark")


def test_the_page_needs_no_other_file(tmp_path: Path, records):
    write_report(tmp_path, records, RUN, [contact_frame(record) for record in records])
    page = (tmp_path / "report.html").read_text()
    pictures = re.findall(r'src="([^"]*)"', page)
    assert len(pictures) == 4
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert "http" not in page
    assert "&lt;queries&gt;" in page
    for name in ("trajectory", "errors", "risk_coverage", "worst_frames"):
        assert cv2.imread(str(tmp_path / f"{name}.png")) is not None


def test_the_page_explains_failures(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    assert "What would help" not in (tmp_path / "report.html").read_text()
    failures = [
        Failure("frame 1", "wrong by 1 m", "key-7: 0.3 m", ["More light.", "Map <it>."], {}),
        Failure("frame 2", "too dark", "", ["Wait."], {"frame": b"jpeg"}),
    ]
    write_report(tmp_path, records, RUN, failures=failures)
    page = (tmp_path / "report.html").read_text()
    assert "Every frame without a pose or with a wrong one: 2 of\n4." in page
    assert "<b>frame 1</b>: wrong by 1 m · nearest keyframe key-7: 0.3 m<br>" in page
    assert "More light. Map &lt;it&gt;.<br>" in page
    assert "<b>frame 2</b>: too dark<br>" in page
    assert 'src="data:image/jpeg;base64,anBlZw=="' in page


def test_runs_without_ground_truth_are_reported_too(tmp_path: Path, make_record):
    records = [make_record(i, ground_truth=False) for i in range(3)]
    write_report(tmp_path, records, RUN)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["localized"], report["wrong"], report["recall"]) == (3, None, None)
    assert not (tmp_path / "errors.png").exists()
    assert (tmp_path / "trajectory.png").exists()


def test_runs_without_any_pose_are_reported_too(tmp_path: Path, make_record):
    write_report(tmp_path, [make_record(i, localized=False) for i in range(3)], RUN)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["localized"], report["wrong"]) == (0, 0)
    assert report["median_translation_m"] is None


def test_reasons_that_differ_by_numbers_are_counted_together():
    reasons = ["score 0.31 is below 0.50", "too dark", "score 0.4 is below 0.50", "12 of 12"]
    assert count_reasons(reasons) == {"score … is below 0.50": 2, "too dark": 1, "12 of 12": 1}


def test_no_frames_are_no_report(tmp_path: Path):
    with pytest.raises(InputError, match="no frames"):
        write_report(tmp_path, [], RUN)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, records):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/report"):
        write_report(tmp_path / "file" / "report", records, RUN)


def test_a_plot_that_fails_loses_nothing_else(tmp_path: Path, records, monkeypatch, caplog):
    def fail(*arguments: object) -> None:
        raise OverflowError("cannot convert float NaN to integer")

    monkeypatch.setattr(pictures, "trajectory_figure", fail)
    monkeypatch.setattr(report_folder, "explain_failures", fail)
    monkeypatch.setattr(report_folder, "contact_frames", fail)
    no_points = torch.zeros(0, 3)
    scene_map = SimpleNamespace(
        keyframe_poses=torch.eye(4)[None], points=no_points, origin=np.zeros(3)
    )
    report_folder.report_run(tmp_path, records, RUN, [], scene_map)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"poses.tum", "errors.csv", "frames.json", "report.json", "report.html"} <= written
    assert "errors.png" in written and "trajectory.png" not in written
    assert "the report lacks the plot 'trajectory': cannot convert float NaN" in caplog.text


def test_results_are_written_before_anything_is_drawn(tmp_path: Path, records, monkeypatch):
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "trajectory_figure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, records, RUN)
    assert len(read_tum(tmp_path / "poses.tum")) == 3
    assert json.loads((tmp_path / "report.json").read_text())["localized"] == 3


def test_frames_are_written_for_programs(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    frames = json.loads((tmp_path / "frames.json").read_text())
    assert [frame["name"] for frame in frames] == [record.name for record in records]
    assert [frame["stamp_ns"] for frame in frames] == [record.stamp for record in records]
    assert [frame["reason"] for frame in frames] == ["", "", "too dark", ""]
    assert frames[2]["pose"] is None
    np.testing.assert_allclose(frames[0]["pose"]["position"], records[0].T_map_camera[:3, 3])
    assert frames[0]["translation_error_m"] == pytest.approx(0.01)
    assert frames[3]["stages_ms"] == {"features": 40.0}
    np.testing.assert_allclose(
        frames[2]["ground_truth"]["position"], records[2].ground_truth[:3, 3]
    )


def test_frames_are_read_again_as_they_were_written(tmp_path: Path, records):
    withheld = replace(records[2], rejected_pose=records[0].T_map_camera)
    write_report(tmp_path, [*records[:2], withheld], RUN)
    outcomes = read_frame_outcomes(tmp_path)
    assert [outcome.is_wrong for outcome in outcomes] == [False, True, False]
    np.testing.assert_allclose(outcomes[1].pose.matrix(), records[1].T_map_camera, atol=1e-12)
    np.testing.assert_allclose(outcomes[1].ground_truth.matrix(), records[1].ground_truth)
    np.testing.assert_allclose(outcomes[2].rejected_pose.matrix(), records[0].T_map_camera)
    assert outcomes[2].pose is None


def test_poses_have_the_names_of_their_images(tmp_path: Path, records):
    write_report(tmp_path, records, RUN)
    lines = (tmp_path / "poses.tum").read_text().splitlines()
    assert lines[1::2] == [f"# {record.name}" for record in records if record.is_localized]


def test_names_of_files_that_are_no_utf8_are_spelled_out(tmp_path: Path, make_record):
    record = replace(make_record(0, 0.01, 0.5), name="caf\udce9.jpg")
    run = RunInformation("nre", "cpu", "0123456789abcdef", "/maps/\udcff", "/\udcfe", "localize")
    write_report(tmp_path, [record], run)
    (frame,) = json.loads((tmp_path / "frames.json").read_text(encoding="utf-8"))
    assert frame["name"] == "caf\\udce9.jpg"
    assert "\\\\udcff" in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").exists()


def test_a_full_disk_leaves_no_half_written_file(tmp_path: Path, records, monkeypatch):
    write = Path.write_bytes

    def fills_up(self: Path, data: bytes) -> int:
        if "frames" in self.name:
            write(self, data[:5])
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(InputError, match="the report cannot be written: No space left on device"):
        write_report(tmp_path, records, RUN)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["errors.csv", "poses.tum"]
    assert len(read_tum(tmp_path / "poses.tum").stamps) == 3
