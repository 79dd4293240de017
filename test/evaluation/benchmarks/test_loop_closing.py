"""What is closed, with errors that are drawn here."""

import numpy as np
import pytest
from loop_closure.walk import any_covariance, disturbed, walk

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.closing_results import (
    BOTH,
    CLOSED,
    CONSISTENT,
    ODOMETRY,
    PLAIN,
    SWITCHABLE,
    WITHOUT_WRONG,
    summarize_closings,
)
from dense_reloc_ros.evaluation.benchmarks.loop_closing import (
    Drift,
    close_paths,
    walked,
)
from dense_reloc_ros.evaluation.benchmarks.loop_closing_plot import loop_closing_figure
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.trajectory import Trajectory

pytest.importorskip("gtsam")


def record(stamp, truth, pose=None, covariance=None):
    return FrameRecord(
        int(stamp),
        f"frame {stamp}",
        pose,
        ground_truth=truth,
        covariance=covariance,
        confidence=0.9,
    )


@pytest.fixture(scope="module")
def records():
    """Every third frame was not localized."""
    rng = np.random.default_rng(0)
    truth, _ = walk(frames=240)
    found = []
    for index, (stamp, pose) in enumerate(zip(truth.stamps, truth.poses, strict=True)):
        covariance = any_covariance(rng) / 4
        published = disturbed(pose, covariance, rng) if index % 3 else None
        found.append(record(stamp, pose, published, covariance))
    return found


@pytest.fixture(scope="module")
def paths(records):
    return list(close_paths(records, None, Drift(), 0.1, [0, 1]))


def summaries(paths, laps=1):
    return summarize_closings([result for path in paths for result in path.results], laps)


def errors(paths):
    return {summary.way: summary.median.ate_m for summary in summaries(paths)}


def test_robust_ways_are_no_worse_than_without_the_wrong_ones(paths):
    ate = errors(paths)
    assert ate[CLOSED] < ate[ODOMETRY] / 5
    assert ate[PLAIN] > ate[ODOMETRY]
    for way in (SWITCHABLE, CONSISTENT, BOTH):
        assert ate[way] < 1.05 * ate[WITHOUT_WRONG]


def test_counts_constraints_and_wrong_ones(paths):
    counts = {(result.way, result.seed): result for path in paths for result in path.results}
    for seed in (0, 1):
        assert counts[ODOMETRY, seed].constraints == 0
        assert counts[CLOSED, seed].constraints == 160
        assert counts[WITHOUT_WRONG, seed].constraints == 144
        assert (counts[PLAIN, seed].constraints, counts[PLAIN, seed].wrong) == (160, 16)
        assert counts[CONSISTENT, seed].wrong == 0


def test_summaries_compare_with_the_odometry_of_the_same_seed(paths):
    alone, closed = (
        [next(r.error.ate_m for r in path.results if r.way == way) for path in paths]
        for way in (ODOMETRY, CLOSED)
    )
    summary = next(s for s in summaries(paths, 3) if s.way == CLOSED)
    ratios = [before / after for before, after in zip(alone, closed, strict=True)]
    assert summary.times_lower == pytest.approx(np.mean(ratios))
    assert summary.worst_ate_m == max(closed)
    assert (summary.laps, summary.seeds) == (3, 2)


def test_wrong_constraints_come_from_the_wrong_map(records):
    elsewhere = np.eye(4)
    elsewhere[:3, 3] = [7.0, 8, 9]
    wrong = [record(r.stamp, None, elsewhere if i % 2 else None) for i, r in enumerate(records)]
    (path,) = close_paths(records, wrong, Drift(), 0.1, [0])
    assert len(path.wrong) == 16
    for index, constraint in enumerate(path.constraints):
        is_wrong = constraint.T_map_body[:3, 3].tolist() == [7.0, 8, 9]
        assert is_wrong == (index in path.wrong)


def test_a_wrong_map_that_matches_nothing_is_said(records):
    wrong = [record(r.stamp, None) for r in records]
    with pytest.raises(InputError, match="no frame can get a wrong constraint"):
        list(close_paths(records, wrong, Drift(), 0.1, [0]))


def test_without_a_share_nothing_is_wrong(records):
    (path,) = close_paths(records, None, Drift(), 0.0, [0])
    assert not path.wrong


def test_a_path_is_walked_forth_and_back():
    some = [record(stamp, None) for stamp in (10, 12, 17)]
    way = walked(some, 3)
    assert [r.name for r in way] == [f"frame {stamp}" for stamp in (10, 12, 17, 12, 10, 12, 17)]
    assert [r.stamp for r in way] == [10, 12, 17, 22, 24, 26, 31]
    assert walked(some[::-1], 1) == some


def test_odometry_has_drifted_when_a_path_with_a_lead_in_begins(records):
    """The same recording: what is before the frames counts, what is after them does not."""
    lead_in = Trajectory(
        np.array([r.stamp for r in records]), np.array([r.ground_truth for r in records])
    )
    late = records[120:]
    (path,) = close_paths(late, None, Drift(), 0.1, [0], lead_in)
    (whole,) = close_paths(records, None, Drift(), 0.1, [0])
    expected = whole.trajectories[ODOMETRY].poses[120:]
    assert path.trajectories[ODOMETRY].poses == pytest.approx(expected)
    assert len(path.truth) == 120
    (without,) = close_paths(late, None, Drift(), 0.1, [0])
    assert errors([path])[ODOMETRY] > errors([without])[ODOMETRY]
    assert errors([path])[CLOSED] < errors([path])[ODOMETRY] / 5


def test_two_true_poses_are_needed(records):
    blind = [record(r.stamp, None, r.T_map_camera, r.covariance) for r in records]
    with pytest.raises(InputError, match="two frames with true poses"):
        list(close_paths(blind, None, Drift(), 0.1, [0]))


def test_the_drawing_shows_each_way_and_where_the_truth_is(paths):
    above, over_time = loop_closing_figure(paths[0]).axes
    labels = [line.get_label() for line in above.lines]
    assert labels == ["truth", ODOMETRY, CLOSED, PLAIN, SWITCHABLE, CONSISTENT, "wrong constraint"]
    truth = paths[0].truth.poses[:, :3, 3]
    for drawn in above.lines[0].get_data():
        assert any(np.allclose(drawn, axis) for axis in truth.T)
    alone = next(line for line in over_time.lines if line.get_label() == ODOMETRY)
    apart = paths[0].trajectories[ODOMETRY].poses[-1, :3, 3] - truth[-1]
    assert alone.get_ydata()[-1] == pytest.approx(100 * np.linalg.norm(apart))
