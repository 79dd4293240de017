"""The real player and the real node, as processes, with a localizer that the images steer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from evaluation.fake_fusing_relocalizer import STEP
from evaluation.fake_relocalizer import DEADLY, HELD, REJECTED, SILENT, SLOW, pose_of
from scene.small_map import make_map

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import BASE_FRAME, CAMERA_FRAME
from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.evaluation.replay import bag_replay as replay_module
from dense_reloc_ros.evaluation.replay.bag_replay import ReplayOptions
from dense_reloc_ros.evaluation.report.replay_report import LOG_FILE, replay_and_report
from dense_reloc_ros.evaluation.report.run_summary import Summary
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map

pytestmark = pytest.mark.ros

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
START = 1_750_000_000_123_456_789
PERIOD = 50_000_000


def write_bag(path: Path, brightnesses: Sequence[int], odometry: bool = False) -> Path:
    """Images 50 ms apart; the truth of each is 3 cm beside where it will be localized."""
    with BagWriter(path, CAMERA) as bag:
        bag.write_static_tf(START, BASE_FRAME, CAMERA_FRAME)
        for index, brightness in enumerate(brightnesses):
            stamp = START + index * PERIOD
            truth = pose_of(brightness)
            truth[1, 3] += 0.03
            bag.write_ground_truth(stamp, truth)
            bag.write_image(stamp, np.full((48, 64, 3), brightness, np.uint8))
            if odometry:
                bag.write_tf(stamp, "odom", BASE_FRAME, np.eye(4))
    return path


@pytest.fixture
def replay(tmp_path: Path, monkeypatch) -> Callable[..., Summary]:
    """Replays a bag into the node with the fake localizer."""
    pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
    test_folder = Path(__file__).parents[2]
    paths = [str(test_folder.parent), str(test_folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setattr(replay_module, "NODE_MODULE", "evaluation.fake_relocalizer")
    monkeypatch.setattr(replay_module, "FUSION_MODULE", "evaluation.fake_fusing_relocalizer")
    write_map(tmp_path / "map", make_map())

    def replay(bag: Path, **options: object) -> Summary:
        return replay_and_report(
            ReplayOptions(tmp_path / "map", bag, **options), tmp_path / "report"
        )

    return replay


@pytest.mark.parametrize("odometry", [False, True])
def test_in_lockstep_every_image_is_answered(replay, tmp_path: Path, odometry: bool):
    bag = write_bag(tmp_path / "bag", [10, SLOW, REJECTED, 30, 40, 50], odometry)
    summary = replay(bag, rate=None)
    assert (summary.frames, summary.localized, summary.wrong) == (6, 5, 0)
    assert summary.rejected == {"too dark": 1}
    assert summary.median_translation_m == pytest.approx(0.03, abs=1e-6)
    assert summary.latency_ms.per_stage["pose"].median == 2.0
    assert summary.latency_ms.p95 is not None
    assert summary.mode == "replay in lockstep"
    assert summary.map_revision == load_map(tmp_path / "map").information.revision
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["localized"] == 5
    lines = (tmp_path / "report" / "poses.tum").read_text().splitlines()
    assert lines[1].startswith("1750000000.123456789 0.100000000 ")
    assert (tmp_path / "report" / LOG_FILE).exists()


@pytest.mark.parametrize("odometry", [False, True])
def test_with_fusion_what_the_fusion_publishes_counts(replay, tmp_path: Path, odometry: bool):
    bag = write_bag(tmp_path / "bag", [10, REJECTED, 30, 40], odometry)
    summary = replay(bag, rate=None, fusion=True)
    assert (summary.frames, summary.localized) == (4, 3)
    assert summary.rejected == {"too dark": 1}
    assert summary.median_translation_m == pytest.approx(0.03 - STEP, abs=1e-6)
    assert summary.mode == "replay with fusion in lockstep"


def test_at_a_rate_a_busy_node_takes_the_newest_image(replay, tmp_path: Path):
    summary = replay(write_bag(tmp_path / "bag", [HELD, 10, 20, 30, 40]), rate=0.1)
    # While the first image is held, four come and only the last of them waits its turn.
    assert summary.localized == 2
    assert list(summary.rejected.values()) == [3]
    assert "no answer" in next(iter(summary.rejected))


def test_an_image_without_answer_is_not_localized(replay, tmp_path: Path):
    summary = replay(write_bag(tmp_path / "bag", [10, 20, SILENT]), rate=None, timeout=5.0)
    assert (summary.frames, summary.localized) == (3, 2)


def test_a_node_that_dies_is_reported_with_its_last_words(replay, tmp_path: Path):
    with pytest.raises(RelocError, match=r"(?s)status 7.*too bright to bear"):
        replay(write_bag(tmp_path / "bag", [10, DEADLY, 20]), rate=None)


@pytest.mark.parametrize("options", [{"method": "broken"}, {"weights": Path("broken")}])
def test_a_node_that_refuses_to_start_is_reported_with_its_reason(replay, tmp_path: Path, options):
    with pytest.raises(RelocError, match=r"(?s)could not be configured.*the map is broken"):
        replay(write_bag(tmp_path / "bag", [10]), **options)


def test_a_map_that_is_none_is_reported_before_anything_starts(replay, tmp_path: Path):
    (tmp_path / "map" / "map.json").unlink()
    with pytest.raises(RelocError, match=r"map\.json"):
        replay(write_bag(tmp_path / "bag", [10]))
    assert not (tmp_path / "report").exists()


def test_images_without_stamps_are_refused(replay, tmp_path: Path):
    with BagWriter(tmp_path / "bag", CAMERA) as bag:
        bag.write_image(0, np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(InputError, match="no stamps"):
        replay(tmp_path / "bag")


def test_no_process_is_left_behind(replay, tmp_path: Path, monkeypatch):
    started = []
    enter = replay_module.NodeProcess.__enter__
    monkeypatch.setattr(
        replay_module.NodeProcess,
        "__enter__",
        lambda process: started.append(process) or enter(process),
    )
    monkeypatch.setattr(replay_module, "_play", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replay(write_bag(tmp_path / "bag", [10]))
    assert [process.status is not None for process in started] == [True]
