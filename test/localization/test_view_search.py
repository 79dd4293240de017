"""Which views of an image are looked at, and when one is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    image_to_tensor,
)
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.localization.coarse_pose import CoarsePose
from dense_reloc_ros.localization.image_views import ImageViews
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.query_view import QueryView, turned
from dense_reloc_ros.localization.relative_view import relative_view
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.search_work import (
    COARSE_POSE,
    NETWORK,
    PLACE,
    SearchWork,
)
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.localization.view_choice import map_magnification
from dense_reloc_ros.localization.view_search import ViewSearch
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.pose.problem import fine_maps_of
from dense_reloc_ros.retrieval.places import RankedKeyframes
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

TRUTH = looking(20, distance=0.45, height=1.25, pitch=4.0)

KEYFRAME = Camera(640, 480, 510.0, 510.0, 319.5, 239.5)
AT_BOTH_SIZES = [[(turn, 0.8), (turn, 0.42)] for turn in range(4)]
"""Turns, and the sizes in which coarse poses are looked for."""

NO_FEATURES = DenseFeatures({}, torch.zeros(1, 0))
EVIDENCE = PoseEvidence(0.5, 100, 150, 0.8, 0.5, 0.3, 0.01, 0.01, 0.1)
NOTHING_RANKED = RankedKeyframes(torch.zeros(0, dtype=torch.int64), torch.zeros(0))


class CountingExtractor(FeatureExtractor):
    """Remembers the size of each image that it is given."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.sizes: list[tuple[int, int]] = []
        """(height, width)."""

    @property
    def signature(self):
        return self._extractor.signature

    @property
    def device(self):
        return self._extractor.device

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        self.sizes.append(tuple(images.shape[-2:]))
        return self._extractor(images)


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery()


@pytest.fixture(scope="module")
def scene_map(gallery: Gallery) -> SceneMap:
    extractor = create_extractor("compact", torch.device("cpu"))
    scene_map = build_from_depth(gallery.keyframes(), DenseDescriber(extractor, 400))
    calibration = MapCalibration(score_threshold=0.3)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    return replace(scene_map, information=information)


@pytest.fixture
def localizer(scene_map: SceneMap) -> SparseToDenseLocalizer:
    device = torch.device("cpu")
    extractor = CountingExtractor(create_extractor("compact", device))
    return SparseToDenseLocalizer(
        scene_map, LocalizerConfiguration(), device, DEFAULT_METHOD, extractor
    )


def rolled(degrees: float, T_map_camera: np.ndarray = TRUTH) -> np.ndarray:
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return T_map_camera @ rigid(turn, np.zeros(3))


def is_right(localizer, image: np.ndarray, camera: Camera, truth: np.ndarray, **prior) -> bool:
    localization = localizer.localize(image, camera, **prior)
    assert localization.is_localized, localization.reason
    error = pose_error(localization.T_map_camera, truth)
    return error.translation < 0.06 and error.rotation < np.radians(1.5)


def test_an_upright_image_that_is_sure_costs_one_extraction(gallery, localizer):
    assert is_right(localizer, gallery.render(TRUTH).image, CAMERA, TRUTH)
    assert localizer.extractor.sizes == [(CAMERA.height, CAMERA.width)]


@pytest.mark.parametrize("degrees", [60, 90, 180, 270, 315])
def test_images_of_any_roll_are_localized(degrees, gallery, localizer):
    truth = rolled(degrees)
    assert is_right(localizer, gallery.render(truth).image, CAMERA, truth)
    assert len(localizer.extractor.sizes) <= 9


@pytest.mark.parametrize("nearer", [1.4, 1.6])
@pytest.mark.parametrize("degrees", [0, 90])
def test_close_ups_are_localized(nearer, degrees, gallery, localizer):
    """Things look 2.1 and 2.5 times as large as in any keyframe."""
    truth = rolled(degrees, looking(20, distance=0.45 - nearer, height=1.25, pitch=4.0))
    assert is_right(localizer, gallery.render(truth).image, CAMERA, truth)


def test_a_prior_tells_the_roll_without_a_search(gallery, localizer):
    truth = rolled(180)
    prior = rolled(170, looking(25, distance=0.4))
    image = gallery.render(truth).image
    assert is_right(localizer, image, CAMERA, truth, prior_T_map_camera=prior)
    assert len(localizer.extractor.sizes) == 1


@pytest.mark.parametrize("zoom", [0.5, 2.0, 4.0])
def test_images_of_other_focal_lengths_are_looked_at_as_the_map_was(zoom, gallery, localizer):
    size = CAMERA if zoom < 1 else CAMERA.scaled(round(zoom * 320), round(zoom * 240))
    camera = replace(size, fx=zoom * 260.0, fy=zoom * 260.0)
    image = gallery.render_with(camera, TRUTH).image
    assert is_right(localizer, image, camera, TRUTH)
    (height, width), *more = localizer.extractor.sizes
    assert not more
    assert height * width <= 1.32 * CAMERA.height * CAMERA.width


def test_features_are_handed_on_with_the_camera_that_they_are_of(gallery, localizer):
    truth = rolled(90)
    localization = localizer.localize(gallery.render(truth).image, CAMERA)
    view, estimate = localization.view, localization.estimate
    assert (view.camera.width, view.camera.height) == (CAMERA.height, CAMERA.width)
    points = localizer.scene_map.points.numpy()[estimate.supporting_points]
    T_map_view = truth @ view.T_camera_view
    seen = (points - T_map_view[:3, 3]) @ T_map_view[:3, :3] @ view.camera.matrix.T
    pixels = seen[:, :2] / seen[:, 2:]
    inside = (pixels > 0).all(1) & (pixels < (view.camera.width, view.camera.height)).all(1)
    assert inside.mean() > 0.95
    # Upright in the view: the map's up is at the image's top.
    np.testing.assert_allclose(T_map_view[:3, 1], [0, 0, -1], atol=0.1)


def test_the_relative_view_is_what_turns_and_scales_it_to_the_keyframe():
    scene_map = make_map()
    pose, camera = scene_map.keyframe_poses[0].numpy(), scene_map.cameras[0]
    seen = scene_map.observation_points[scene_map.observations(0)].long()
    in_front = (scene_map.points[seen].double() - torch.from_numpy(pose[:3, 3])) @ torch.from_numpy(
        pose[:3, 2]
    ) > 0
    points = torch.unique(seen[in_front]).numpy()
    assert len(points)
    turned = pose @ rigid(Rotation.from_euler("z", 70, degrees=True).as_matrix(), np.zeros(3))
    relative = relative_view(scene_map, turned, points, (0,), camera.scaled(128, 96))
    assert np.degrees(relative.roll) == pytest.approx(-70)
    assert relative.quarters == -1
    assert relative.magnification == pytest.approx(2.0)


def test_focal_lengths_within_those_of_the_keyframes_are_left_alone():
    scene_map = make_map()  # 50 to 52 and 51 pixels
    shortest, longest = (scene_map.cameras[k].focal_length for k in (0, -1))
    for focal, expected in ((51.0, 1.0), (102.0, longest / 102.0), (25.0, shortest / 25.0)):
        camera = Camera(64, 48, focal, focal, 31.5, 23.5)
        assert map_magnification(scene_map, camera) == pytest.approx(expected)


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


def test_a_view_that_is_asked_for_again_is_not_looked_at_again(gallery, localizer):
    work = SearchWork(8.0)
    views = ImageViews(localizer, None, frozenset(), Stopwatch(localizer.device), work)
    view = QueryView.of(gallery.render(TRUTH).image, CAMERA)
    found = views.localize(view)
    assert views.localize(replace(view)) is found
    assert views.evidence_in(view) == found.ranked.best_evidence
    assert views.coarse_pose(view) is not None
    assert len(localizer.extractor.sizes) == 1
    assert views.localize(turned(view, 1)) is not found
    assert len(localizer.extractor.sizes) == 2
    # Two views as large as a keyframe, a place each at least, and a coarse pose.
    assert work.spent >= 2 * (NETWORK + PLACE) + COARSE_POSE
    assert not work.is_over


def test_features_that_are_known_count_as_work_as_others_do(gallery, localizer):
    view = QueryView.of(gallery.render(TRUTH).image, CAMERA)
    features = localizer.extractor(image_to_tensor(view.image))
    spent = []
    for known in ({}, {(view.camera, view.quarters): features}):
        work = SearchWork(8.0)
        stopwatch = Stopwatch(localizer.device)
        views = ImageViews(localizer, None, frozenset(), stopwatch, work, known)
        assert views.evidence_in(view) == views.evidence_in(view)
        spent.append(work.spent)
    assert spent == [NETWORK, NETWORK]


def test_a_pose_that_sees_nothing_has_a_finite_covariance_and_is_not_believed(gallery, localizer):
    features = localizer.extractor(image_to_tensor(gallery.render(TRUTH).image))
    keyframes = localizer.retrieve(features)[0]
    points, problem = localizer.match(features, keyframes, CAMERA)
    T_camera_map = torch.from_numpy(np.linalg.inv(TRUTH)).float()
    T_camera_map[2, 3] -= 100.0  # so that everything lies behind the camera
    found = fine_maps_of(problem, T_camera_map, 12)
    estimate = localizer.verified(problem, found, points, keyframes, CAMERA)
    assert estimate.depth == 0
    assert np.isfinite(estimate.covariance).all()
    assert localizer.judged(estimate).confidence < 0.01
