from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.evaluation.replay.published_results import (
    PublishedResult,
    read_results,
    record_result,
    write_results,
)
from dense_reloc_ros.localization.result import Status

ROTATION = Rotation.from_euler("xyz", [0.1, 0.2, 0.3])


def result(status: Status = Status.LOCALIZED, pose_published: bool = True) -> PublishedResult:
    return PublishedResult(
        stamp=1_750_000_000_123_456_789,
        status=status,
        reason="" if status is Status.LOCALIZED else "too dark",
        translation=(1.0, 2.0, 3.0),
        quaternion=tuple(ROTATION.as_quat()),
        covariance=tuple(np.arange(36.0)),
        score=0.5,
        confidence=0.75,
        keyframes=(4, 2),
        map_revision="00ff",
        method="nre",
        device="cpu",
        stage_milliseconds={"pose": 3.0, "features": 1.0},
        latency_milliseconds=12.0,
        pose_published=pose_published,
    )


def test_answers_survive_the_file(tmp_path: Path):
    written = [result(), result(Status.REJECTED, False)]
    write_results(tmp_path / "results.jsonl", written)
    assert read_results(tmp_path / "results.jsonl") == written


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path):
    write_results(tmp_path / "results.jsonl", [result()])
    text = (tmp_path / "results.jsonl").read_text()
    (tmp_path / "results.jsonl").write_text(text[:50])
    for name in ("results.jsonl", "missing.jsonl"):
        with pytest.raises(RelocError, match="no usable results"):
            read_results(tmp_path / name)


def test_a_localized_answer_is_recorded_with_its_pose():
    record = record_result(7, "image", result(), np.eye(4))
    np.testing.assert_allclose(record.T_map_camera[:3, :3], ROTATION.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(record.T_map_camera[:3, 3], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(record.covariance[1], np.arange(6.0, 12.0))
    assert (record.keyframes, record.latency_milliseconds) == ((4, 2), 12.0)
    assert list(record.stage_milliseconds) == ["pose", "features"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "no answer"),
        (result(Status.REJECTED), "too dark"),
        (result(Status.INVALID_INPUT), "too dark"),
        (result(pose_published=False), "pose was not published"),
    ],
)
def test_what_a_robot_cannot_act_on_is_not_localized(given, reason):
    record = record_result(7, "image", given, np.eye(4))
    assert not record.is_localized
    assert reason in record.reason
