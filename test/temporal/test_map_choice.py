"""Which map images belong to: in two rendered rooms and in a third one, and by what rule."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from gallery import CAMERA, KEYFRAME_YAWS, Gallery, looking
from patterned_room import camera_pose, patterned_room
from rendered_frames import rendered_frame
from scipy.special import expit, logit

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.floor import FloorConfiguration, FloorConstraint
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.rendering.corridor import corridor_of_doors, facing_doors
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.scene.map_folders import find_maps
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map
from dense_reloc_ros.temporal.belief import Belief
from dense_reloc_ros.temporal.fusion_configuration import BeliefConfiguration, MotionConfiguration
from dense_reloc_ros.temporal.map_choice import Look, MapChoice, MapTrial, choose_map, try_map

SECOND = 10**9


def belief() -> Belief:
    return Belief(BeliefConfiguration(), MotionConfiguration())


class Opened:
    """Opens maps, and remembers how many localizers live at once."""

    def __init__(self) -> None:
        self.living: list[weakref.ref[Localizer]] = []
        self.most = 0

    def __call__(self, path: Path) -> Localizer:
        gc.collect()
        localizer = open_localizer(path, LocalizerConfiguration(), None, "cpu")
        self.living.append(weakref.ref(localizer))
        self.most = max(self.most, sum(one() is not None for one in self.living))
        return localizer


@pytest.fixture(scope="module")
def floors(gallery_map: SceneMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of two rooms, one below a building's folder, and one that is broken."""
    folder = tmp_path_factory.mktemp("floors")
    describer = DenseDescriber(create_extractor("compact", torch.device("cpu")), 200)
    write_map(folder / "gallery", gallery_map)
    poses = [camera_pose(0.3, 0.2, np.radians(yaw)) for yaw in KEYFRAME_YAWS]
    frames = [
        rendered_frame(patterned_room(), CAMERA, number, pose) for number, pose in enumerate(poses)
    ]
    write_map(folder / "annex" / "patterned", build_from_depth(frames, describer))
    (folder / "ruin").mkdir()
    (folder / "ruin" / "map.json").write_text("{")
    return folder


def choose(folder: Path, images: list[np.ndarray], open_map: Callable[..., Localizer]) -> MapChoice:
    looks = [Look(image, CAMERA, n * SECOND // 2) for n, image in enumerate(images)]
    trials = [try_map(path, open_map, looks, belief) for path in find_maps(folder)]
    return choose_map(trials, 0.95)


def views_of_gallery(gallery: Gallery) -> list[np.ndarray]:
    return [gallery.render(looking(yaw, 0.4, 1.3, 3.0)).image for yaw in (40.0, 47.0, 54.0)]


def views_of_patterned() -> list[np.ndarray]:
    poses = [camera_pose(0.1, 0.3, yaw) for yaw in (0.4, 0.5, 0.6)]
    return [patterned_room().render(CAMERA, pose).image for pose in poses]


def views_of_corridor() -> list[np.ndarray]:
    raycaster = Raycaster(corridor_of_doors(1, 3))
    return [
        raycaster.render(CAMERA, pose).image for pose in facing_doors(np.array([-0.5, 0.0, 0.5]), 7)
    ]


@pytest.mark.parametrize("room", ["gallery", "patterned"])
def test_images_are_found_in_the_map_of_their_room(
    room: str, floors: Path, gallery: Gallery
) -> None:
    opened = Opened()
    views = views_of_gallery(gallery) if room == "gallery" else views_of_patterned()
    choice = choose(floors, views, opened)
    assert choice.chosen is not None, choice.reason
    assert choice.trials[choice.chosen].path.name == room
    assert choice.confidences[choice.chosen] > 0.98
    assert {t.path.name: t.published for t in choice.trials if not t.problem} == {
        "gallery": 3 * (room == "gallery"),
        "patterned": 3 * (room == "patterned"),
    }
    (broken,) = (t for t in choice.trials if t.problem)
    assert (broken.path.name, broken.localizations) == ("ruin", ())
    assert str(floors / "ruin" / "map.json") in broken.problem
    assert opened.most == 1


def test_images_of_another_room_are_found_in_no_map(floors: Path) -> None:
    choice = choose(floors, views_of_corridor(), Opened())
    assert choice.chosen is None
    assert choice.reason == "no map fits: none of 3 images has a pose in any of 2 maps"
    assert choice.confidences == (0.0, 0.0, 0.0)


def found(confidence: float, x: float = 0.0, status: Status = Status.LOCALIZED) -> Localization:
    pose = np.eye(4)
    pose[0, 3] = x
    estimate = PoseEstimate(pose, np.eye(6) * 1e-4, 0.5, np.arange(3), (0,), confidence=confidence)
    return Localization(status, "" if status is Status.LOCALIZED else "doubted", estimate)


NOWHERE = Localization(Status.NO_CANDIDATES, "too little of the map matches the image")


def trial(name: str, *found: Localization, is_found: bool = True) -> MapTrial:
    return MapTrial(Path("/maps", name), f"revision of {name}", found, is_found)


def test_the_confidence_is_against_the_other_maps_and_against_none() -> None:
    """By hand: odds of 99, 1/9 and 1 for none of them."""
    doubted = found(0.1, status=Status.REJECTED)
    choice = choose_map([trial("a", found(0.99)), trial("b", doubted, is_found=False)], 0.95)
    assert choice.chosen == 0
    np.testing.assert_allclose(choice.confidences, [99 / (1 + 99 + 1 / 9), 1 / 9 / (100 + 1 / 9)])


def test_an_image_that_no_map_shows_says_nothing() -> None:
    with_wall = trial("a", found(0.97), found(0.2, status=Status.REJECTED), found(0.98))
    other = trial("b", NOWHERE, NOWHERE, NOWHERE, is_found=False)
    choice = choose_map([with_wall, other], 0.95)
    nothing = logit(0.001)
    odds = np.exp([np.mean(logit([0.97, 0.98])), nothing])
    np.testing.assert_allclose(choice.confidences, odds / (1 + odds.sum()))
    assert choice.chosen == 0


def test_many_equal_images_are_no_surer_than_one() -> None:
    once = choose_map([trial("a", found(0.97)), trial("b", found(0.96))], 0.95)
    often = choose_map([trial("a", *[found(0.97)] * 9), trial("b", *[found(0.96)] * 9)], 0.95)
    np.testing.assert_allclose(once.confidences, often.confidences)


def test_a_copy_of_a_map_is_no_rival() -> None:
    original = trial("a", found(0.99))
    choice = choose_map([original, replace(original, path=Path("/maps/backup"))], 0.95)
    assert (choice.chosen, choice.reason) == (0, "")
    np.testing.assert_allclose(choice.confidences, [0.99, 0.0])


@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        ([trial("a", found(0.99)), trial("b", found(0.985))], "the maps 'a' and 'b' both fit"),
        (
            [trial("a", found(0.96), is_found=False)],
            "map 'a' fits best, but no pose is sure and no two of them agree",
        ),
        (
            [
                trial("a", found(0.99), found(0.3, status=Status.REJECTED)),
                trial("b", NOWHERE, found(0.96)),
            ],
            f"map 'a' fits best, but its confidence is only "
            f"{expit(np.mean(logit([0.99, 0.3]))):.3f}",
        ),
        ([MapTrial(Path("/maps/ruin"), problem="broken")], "none of the maps can be opened"),
        (
            [trial("a", Localization(Status.INVALID_INPUT, "too small"), is_found=False)],
            "none of the images can be used: too small",
        ),
    ],
)
def test_why_no_map_is_chosen(trials: list[MapTrial], reason: str) -> None:
    choice = choose_map(trials, 0.95)
    assert (choice.chosen, choice.reason) == (None, reason)


class Answering:
    """A localizer whose answers are given."""

    def __init__(self, *answers: Localization) -> None:
        self.answers = list(answers)
        self.ups: list[np.ndarray | None] = []
        self.scene_map = self.information = self
        self.revision = "revision"

    def localize(
        self, image: np.ndarray, camera: object, up_in_camera: np.ndarray | None
    ) -> Localization:
        self.ups.append(up_in_camera)
        return self.answers[int(image[0, 0, 0])]


def tried(*answers: Localization, floor: FloorConstraint | None = None) -> MapTrial:
    looks = [
        Look(np.full((2, 2, 3), n, np.uint8), CAMERA, n * SECOND, floor=floor)
        for n in range(len(answers))
    ]
    return try_map(Path("/maps/a"), lambda path: Answering(*answers), looks[::-1], belief)


@pytest.mark.parametrize(
    ("answers", "is_found"),
    [
        ([found(0.995)], True),
        ([found(0.96)], False),
        ([found(0.96), found(0.96, 0.02)], True),
        ([found(0.96), found(0.96, 30.0)], False),
        ([NOWHERE, found(0.995), NOWHERE], True),
        ([found(0.995), found(0.96, 30.0)], False),
        ([found(0.995, status=Status.REJECTED)], False),
    ],
)
def test_a_robot_is_found_in_a_map_as_after_a_loss(
    answers: list[Localization], is_found: bool
) -> None:
    result = tried(*answers)
    assert result.is_found == is_found
    assert result.problem == ""
    assert [one.status for one in result.localizations] == [one.status for one in answers]


@pytest.mark.parametrize(("height", "status"), [(0.0, Status.LOCALIZED), (5.0, Status.REJECTED)])
def test_a_robot_on_a_floor_is_found_where_the_floor_allows(height: float, status: Status) -> None:
    floor = FloorConstraint.of(FloorConfiguration(height=height), np.eye(4))
    result = tried(found(0.995), floor=floor)
    assert [one.status for one in result.localizations] == [status]
    assert result.is_found == (status is Status.LOCALIZED)


def test_a_localizer_is_told_which_way_is_up_where_a_floor_says_it() -> None:
    localizer = Answering(NOWHERE)
    for mounted, expected in ((np.eye(4), [0.0, 0.0, 1.0]), (None, None)):
        floor = FloorConstraint.of(FloorConfiguration(), mounted)
        look = Look(np.zeros((2, 2, 3), np.uint8), CAMERA, SECOND, floor=floor)
        try_map(Path("/maps/a"), lambda path: localizer, [look], belief)
        up_in_camera = localizer.ups.pop()
        assert (None if up_in_camera is None else up_in_camera.tolist()) == expected


def test_features_are_not_kept() -> None:
    (kept,) = tried(replace(found(0.995), features=object(), view=object())).localizations
    assert (kept.features, kept.view) == (None, None)


@pytest.mark.parametrize(
    ("error", "problem"),
    [(MapError("broken"), "broken"), (MemoryError("no room"), "/maps/a: MemoryError: no room")],
)
def test_whatever_is_wrong_with_a_map_is_its_problem(error: Exception, problem: str) -> None:
    def fail(error: Exception, path: Path) -> Localizer:
        raise error

    look = Look(np.zeros((2, 2, 3), np.uint8), CAMERA, 0)
    result = try_map(Path("/maps/a"), partial(fail, error), [look], belief)
    assert result == MapTrial(Path("/maps/a"), problem=problem)
