"""Which of several maps images belong to, by localizing them in each; or that none fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.floor import FloorConstraint
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.belief import Belief, Event, Fix

LIMITS = (0.001, 0.999)
"""Of what one image's confidence may say: nobody is surer of it than that."""


@dataclass(frozen=True)
class Look:
    """An image of a robot that does not know in which map it is."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    camera: Camera
    """May be distorted."""
    stamp: int
    """Nanoseconds."""
    T_odom_camera: FloatArray | None = None
    """(4, 4), None where the odometry is not known."""
    floor: FloorConstraint | None = None
    """That the robot stands on; None where it may be anywhere."""


@dataclass(frozen=True)
class MapTrial:
    """What became of the looks in one map."""

    path: Path
    revision: str = ""
    localizations: tuple[Localization, ...] = ()
    """Of each look, in the order of time; without features."""
    is_found: bool = False
    """Whether they say where the robot is, as where it is found after a loss."""
    problem: str = ""
    """Why the map could not be tried; empty where it was."""

    @property
    def published(self) -> int:
        """How many looks have a pose in this map that would be published."""
        return sum(one.is_localized for one in self.localizations)

    @property
    def confidences(self) -> FloatArray:
        """Of each look's best pose (N,); 0 where there is none."""
        estimates = [one.estimate for one in self.localizations]
        return np.array([(one and one.confidence) or 0.0 for one in estimates])


@dataclass(frozen=True)
class MapChoice:
    """The answer."""

    trials: tuple[MapTrial, ...]
    confidences: tuple[float, ...]
    """Of each trial: that the looks belong to this map, and to none of the others."""
    chosen: int | None
    """The trial of the map that fits, None where none does."""
    reason: str
    """Why none does; empty where one does."""


def try_map(
    path: Path,
    open_map: Callable[[Path], Localizer],
    looks: Sequence[Look],
    make_belief: Callable[[], Belief],
) -> MapTrial:
    """Localizes looks in a map, which is open only meanwhile.

    The robot is found in it by the rule that finds one after a loss (`Belief`): one pose that is
    sure, or two that agree. Poses that contradict each other find it nowhere.

    Whatever is wrong with the map is the trial's `problem`, not an exception.
    """
    try:
        localizer = open_map(path)
        ordered = sorted(looks, key=lambda look: look.stamp)
        found = tuple(_localize(localizer, look) for look in ordered)
        revision = localizer.scene_map.information.revision
        return MapTrial(path, revision, found, _find(ordered, found, make_belief()))
    except RelocError as error:
        return MapTrial(path, problem=str(error))
    except Exception as error:  # out of memory, a lost GPU: the other maps may go well
        return MapTrial(path, problem=f"{path}: {type(error).__name__}: {error}")


def choose_map(trials: Sequence[MapTrial], least_confidence: float) -> MapChoice:
    """The map in which the robot is found, if it is by far the likeliest one.

    Each map's odds are those of the confidences of its poses, against the other maps and against
    none of them. Images taken within seconds of each other show much the same, so that their odds
    are averaged (as logarithms), not multiplied. Those without a pose in any map say nothing. Of
    several copies of a map only the first one counts.
    """
    tried = [trial for trial in trials if not trial.problem]
    looks = len(tried[0].localizations) if tried else 0
    telling = [n for n in range(looks) if any(one.localizations[n].is_localized for one in tried)]
    odds = np.zeros(len(trials))
    revisions = [trial.revision for trial in trials]
    for index, trial in enumerate(trials):
        is_copy = bool(trial.revision) and trial.revision in revisions[:index]
        if not trial.problem and telling and not is_copy:
            odds[index] = np.exp(logit(trial.confidences[telling].clip(*LIMITS)).mean())
    reason = _reason_to_choose_none(trials, odds, least_confidence)
    confidences = tuple((odds / (1.0 + odds.sum())).tolist())
    return MapChoice(tuple(trials), confidences, None if reason else int(odds.argmax()), reason)


def _localize(localizer: Localizer, look: Look) -> Localization:
    """What is kept of a look: without what takes memory."""
    up_in_camera = None if look.floor is None else look.floor.up_in_camera
    localization = localizer.localize(look.image, look.camera, up_in_camera=up_in_camera)
    if look.floor is not None:
        localization = look.floor.apply(localization)
    estimate = localization.estimate and replace(localization.estimate, coordinates=None)
    return replace(localization, estimate=estimate, features=None, view=None)


def _find(looks: Sequence[Look], found: Sequence[Localization], belief: Belief) -> bool:
    """Whether poses say where the robot is, and none contradicts that."""
    is_found = False
    for look, one in zip(looks, found, strict=True):
        estimate = one.estimate
        fix = None
        if one.is_localized and estimate is not None:
            pose, covariance = estimate.T_map_camera, estimate.covariance
            fix = Fix(pose, covariance, estimate.confidence or 0.0)
        standing = belief.observe(look.stamp, fix, look.T_odom_camera)
        if belief.contradictions or standing.event is Event.KIDNAPPED:
            return False
        is_found |= standing.event is Event.RELOCALIZED
    return is_found


def _reason_to_choose_none(
    trials: Sequence[MapTrial], odds: FloatArray, least_confidence: float
) -> str:
    """Empty where the map of the highest odds (M,) fits, and no other."""
    tried = [trial for trial in trials if not trial.problem]
    if not tried:
        return "none of the maps can be opened"
    looks = tried[0].localizations
    if all(look.status is Status.INVALID_INPUT for look in looks):
        return f"none of the images can be used: {looks[0].reason}"
    if not odds.any():
        return f"no map fits: none of {len(looks)} images has a pose in any of {len(tried)} maps"
    ranked = np.argsort(-odds)
    best = odds[ranked[0]]
    name = trials[ranked[0]].path.name
    if best / (1.0 + best) < least_confidence:
        confidence = best / (1.0 + best)
        return f"map '{name}' fits best, but its confidence is only {confidence:.3f}"
    if best / (1.0 + odds.sum()) < least_confidence:
        return f"the maps '{name}' and '{trials[ranked[1]].path.name}' both fit"
    if not trials[ranked[0]].is_found:
        return f"map '{name}' fits best, but no pose is sure and no two of them agree"
    return ""
