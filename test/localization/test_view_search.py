"""Which views of an image are looked at, and when one is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from gallery import looking, rolled
from scene.small_map import make_map

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
)
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.coarse_pose import CoarsePose
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.relative_view import relative_view
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.view_search import ViewSearch
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes

KEYFRAME = Camera(640, 480, 510.0, 510.0, 319.5, 239.5)
AT_BOTH_SIZES = [[(turn, 0.8), (turn, 0.42)] for turn in range(4)]
"""Turns, and the sizes in which coarse poses are looked for."""

NO_FEATURES = DenseFeatures({}, torch.zeros(1, 0))
EVIDENCE = PoseEvidence(0.5, 100, 150, 0.8, 0.5, 0.3, 0.01, 0.01, 0.1)
NOTHING_RANKED = RankedKeyframes.none()


class PlannedViews:
    """Evidence and coarse poses by the quarter turns of a view; remembers what was looked at."""

    def __init__(
        self,
        score: float,
        evidence: Sequence[float] = (0.7, 0.5, 0.5, 0.5),
        coarse: Mapping[tuple[int, float], CoarsePose] = MappingProxyType({}),
        from_coarse: float = 0.4,
        most_looks: int = 99,
        last: Sequence[tuple[np.ndarray, float]] = (),
    ) -> None:
        self._score, self._from_coarse = score, from_coarse
        self._evidence, self._coarse, self._most_looks = evidence, coarse, most_looks
        self._last = last
        """Poses of the last resort, and the score that each of them comes to."""
        self.views: list[QueryView] = []
        """Those that were localized."""
        self.looked_at: list[tuple[int, float]] = []
        """Quarter turns and size of the views whose coarse pose was asked for."""
        self.started_from: list[tuple[float, np.ndarray]] = []
        """Size, and the pose of the camera."""

    def localize(self, view: QueryView) -> LocalizedView:
        self.views.append(view)
        return self._localized(view, self._score)

    def localize_from(self, view: QueryView, T_map_view: np.ndarray) -> LocalizedView:
        T_map_camera = T_map_view @ np.linalg.inv(view.T_camera_view)
        size = view.camera.focal_length / KEYFRAME.focal_length
        self.started_from.append((round(size, 1), T_map_camera))
        scores = (score for pose, score in self._last if pose is T_map_view)
        return self._localized(view, next(scores, self._from_coarse))

    def coarse_pose(self, view: QueryView) -> CoarsePose | None:
        self.looked_at.append(turn_and_size(view))
        return self._coarse.get(self.looked_at[-1])

    def last_starts(self, view: QueryView) -> list[np.ndarray]:
        return [pose for pose, _ in self._last]

    def evidence_in(self, view: QueryView) -> float:
        return self._evidence[quarters_of(view)]

    def confidence(self, estimate: PoseEstimate) -> float:
        return 1.2 * estimate.score

    @property
    def has_spent_all(self) -> bool:
        return len(self.views) + len(self.looked_at) + len(self.started_from) >= self._most_looks

    def is_sure(self, estimate: PoseEstimate) -> bool:
        return estimate.score >= 0.5

    def _localized(self, view: QueryView, score: float) -> LocalizedView:
        # Without supporting points nothing is known of the relative view.
        nothing = np.zeros(0, dtype=np.int64)
        estimate = PoseEstimate(np.eye(4), np.eye(6), score, nothing, (0,), evidence=EVIDENCE)
        return LocalizedView(view, NO_FEATURES, NOTHING_RANKED, [estimate])


def turn_and_size(view: QueryView) -> tuple[int, float]:
    size = view.camera.focal_length / KEYFRAME.focal_length / view.enlargement
    return quarters_of(view), round(size, 2)


def quarters_of(view: QueryView) -> int:
    right = view.T_camera_view[:2, 0]
    return round(np.degrees(np.arctan2(right[1], right[0])) / 90) % 4


def search_in(views: PlannedViews) -> LocalizedView:
    scene_map = replace(make_map(), cameras=3 * (KEYFRAME,))
    return ViewSearch(scene_map, views)(np.zeros((480, 640, 3), np.uint8), KEYFRAME)


def coarse_pose(keyframe: int, roll: float, support: int) -> CoarsePose:
    """As from where the keyframe was taken, but rolled, by the points before it."""
    scene_map = make_map()
    pose = scene_map.keyframe_poses[keyframe].numpy()
    seen = scene_map.observation_points[scene_map.observations(keyframe)].long()
    depths = (scene_map.points[seen].double().numpy() - pose[:3, 3]) @ pose[:3, 2]
    assert (depths > 0).any()
    supporting = seen[depths > 0].unique().numpy()
    return CoarsePose(rolled(roll, pose), (keyframe,), supporting, support)


@pytest.mark.parametrize(
    ("evidence", "turns"),
    [
        ([0.7, 0.5, 0.5, 0.5], [0]),
        ([0.5, 0.5, 0.7, 0.6], [0, 2]),
        ([0.5, 0.5, 0.7, 0.69], [0, 2, 3]),
        ([0.7, 0.69, 0.69, 0.5], [0, 1]),
    ],
)
def test_an_unsure_image_is_looked_at_upright_and_in_likely_turns(evidence, turns):
    views = PlannedViews(0.1, evidence)
    assert search_in(views).score == 0.1
    assert views.looked_at == [look for turn in turns for look in AT_BOTH_SIZES[turn]]
    assert not views.started_from


@pytest.mark.parametrize(
    ("roll", "turns"), [(0.0, [0]), (180.0, [2]), (205.0, [2]), (140.0, [2, 3])]
)
def test_an_unsure_image_is_looked_at_in_no_other_turn_where_up_is_clear(roll, turns):
    views = PlannedViews(0.1, [0.5, 0.5, 0.7, 0.69])
    poses = torch.from_numpy(np.stack(3 * [looking(20)]))
    scene_map = replace(make_map(), cameras=3 * (KEYFRAME,), keyframe_poses=poses)
    image = np.zeros((480, 640, 3), np.uint8)
    up_in_camera = rolled(roll, looking(70))[2, :3]
    ViewSearch(scene_map, views)(image, KEYFRAME, up_in_camera=up_in_camera)
    assert views.looked_at == [look for turn in turns for look in AT_BOTH_SIZES[turn]]


def test_a_sure_image_is_looked_at_once():
    views = PlannedViews(0.6, [0.5, 0.9, 0.9, 0.9])
    assert search_in(views).score == 0.6
    assert (len(views.views), views.looked_at) == (1, [])


def test_a_likely_pose_is_looked_at_again_with_what_is_in_sight_there():
    views = PlannedViews(0.45, from_coarse=0.6)
    assert search_in(views).score == 0.6
    assert (views.looked_at, len(views.started_from)) == ([], 1)


def test_starts_are_followed_by_their_support_before_the_image_is_turned():
    evidence = [0.6, 0.5, 0.7, 0.69]
    turned_ones = {(2, 0.8): coarse_pose(0, 10.0, 40), (3, 0.8): coarse_pose(2, 20.0, 50)}
    upright = {(0, 0.8): coarse_pose(0, 0.0, 30)}
    views = PlannedViews(0.1, evidence, upright | turned_ones)
    assert search_in(views).score == 0.4
    places = [pose[:3, 3] for _, pose in views.started_from]
    expected = make_map().keyframe_poses[[0, 2, 0], :3, 3].numpy()
    np.testing.assert_allclose(places, expected, atol=1e-9)
    sure = PlannedViews(0.1, evidence, upright, from_coarse=0.6)
    assert search_in(sure).score == 0.6
    assert (sure.looked_at, len(sure.started_from)) == (AT_BOTH_SIZES[0], 1)


def test_a_start_is_followed_in_the_size_of_its_keyframes():
    pose = coarse_pose(0, 0.0, 50)
    views = PlannedViews(0.1, coarse={(0, 0.8): pose})
    search_in(views)
    ((size, _),) = views.started_from
    scene_map = replace(make_map(), cameras=3 * (KEYFRAME,))
    smaller = KEYFRAME.scaled(512, 384)
    there = relative_view(scene_map, pose.T_map_view, pose.supporting_points, (0,), smaller)
    assert there.magnification == pytest.approx(0.8)
    assert size == pytest.approx(1.0)


@pytest.mark.parametrize(("roll", "support"), [(70.0, 99), (10.0, 23)])
def test_a_coarse_pose_that_little_supports_or_that_is_rolled_is_not_followed(roll, support):
    views = PlannedViews(0.1, coarse={(0, 0.8): coarse_pose(0, roll, support)})
    assert search_in(views).score == 0.1
    assert views.started_from == []


@pytest.mark.parametrize("most", range(1, 6))
def test_nothing_more_is_begun_once_the_budget_is_spent(most):
    coarse = {(0, 0.8): coarse_pose(0, 10.0, 40)}
    views = PlannedViews(0.1, [0.5, 0.5, 0.9, 0.5], coarse, most_looks=most)
    search_in(views)
    assert len(views.views) + len(views.looked_at) + len(views.started_from) == most


@pytest.mark.parametrize(
    ("zoom", "scale"), [(1.0, 1.0), (1.7, 1.0), (1.9, 1.4), (2.2, 1.4), (2.3, 1.0), (3.0, 1.0)]
)
def test_views_of_a_quarter_of_a_keyframe_are_looked_at_larger(zoom, scale):
    # Twice as many columns as a keyframe: what becomes of these does not matter.
    camera = Camera(1280, 960, 1020 * zoom, 1020 * zoom, 639.5, 479.5)
    views = PlannedViews(0.6)
    scene_map = replace(make_map(), cameras=3 * (KEYFRAME,))
    ViewSearch(scene_map, views)(np.zeros((960, 1280, 3), np.uint8), camera)
    assert [view.is_narrow for view in views.views] == [scale > 1]
    assert views.views[0].camera.focal_length == pytest.approx(510 * scale, rel=0.02)


@pytest.mark.parametrize(("zoom", "starts"), [(2.2, []), (2.3, [1.4]), (4.0, [1.4])])
def test_a_larger_view_decides_on_a_sure_pose_of_a_camera_that_sees_a_small_angle(zoom, starts):
    camera = Camera(1280, 960, 1020 * zoom, 1020 * zoom, 639.5, 479.5)
    views = PlannedViews(0.6)
    scene_map = replace(make_map(), cameras=3 * (KEYFRAME,))
    found = ViewSearch(scene_map, views)(np.zeros((960, 1280, 3), np.uint8), camera)
    assert [size for size, _ in views.started_from] == starts
    assert found.score == (0.4 if starts else 0.6)
    for _, pose in views.started_from:
        np.testing.assert_allclose(pose, np.eye(4), atol=1e-9)
    assert found.best.evidence.field_share == pytest.approx(1 / zoom**2 if starts else 1.0)


@pytest.mark.parametrize(
    ("score", "tried", "expected"), [(0.3, 2, 0.6), (0.5, 0, 0.5)], ids=["unsure", "sure"]
)
def test_the_last_resort_is_tried_where_nothing_is_sure_until_something_is(score, tried, expected):
    poses = [rigid(np.eye(3), np.array([x, 0.0, 0.0])) for x in (1.0, 2.0, 3.0)]
    last = list(zip(poses, (0.1, 0.6, 0.9), strict=True))
    views = PlannedViews(score, last=last)
    found = search_in(views)
    assert found.score == expected
    assert [pose[0, 3] for _, pose in views.started_from] == [1.0, 2.0][:tried]
