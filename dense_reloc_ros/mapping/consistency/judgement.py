"""Judges whether a map can be made of frames: by pairs of them that show the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.mapping.consistency.causes import SCALE_DOUBT, cause_of, mounting_angle
from dense_reloc_ros.mapping.consistency.hypotheses import (
    Agreement,
    alternatives,
    as_given,
    turn_difference,
)
from dense_reloc_ros.mapping.consistency.view_pairs import ViewPair, view_pairs
from dense_reloc_ros.mapping.sources.pose_convention import AS_USUAL, PoseConvention
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.verdict import MapVerdict

LOGGER = logging.getLogger(__name__)
LEAST_JUDGED = 3
"""Pairs: of fewer nothing is concluded."""
AGREES = {True: np.deg2rad(0.8), False: np.deg2rad(0.4)}
"""Errors of pairs that agree, with depth and without. Medians of recordings that were looked at are
0.18 and 0.23 degrees with depth, at most 0.06 without."""
CONTRADICTS = np.deg2rad(3.0)
"""Errors at which no map can be made, whatever the cause."""
WRONG_TURN, WRONG_WITH_TURN = np.deg2rad(6.0), np.deg2rad(1.0)
"""Rotations that are off by so much, and errors that are not small, are as bad."""
FEW, MOST = 0.25, 0.75
"""Shares of pairs that agree: at FEW or less a recording is refused, below MOST it is doubtful."""
CLEARLY_BETTER = 0.35
"""Of the error as given: what another meaning must reach to be the cause."""
BETTER = 0.7
"""The same for another scale of the depth, which one number decides."""
NEARLY, NEGLIGIBLE = 1.3, np.deg2rad(0.02)
"""A simpler meaning is preferred whose error is the best one's up to this factor and angle."""
DOUBT = np.deg2rad(0.3)
"""Errors below it need no other meaning."""
SCALE_TOLERANCE = 1.25
"""Depth that is off by more is refused, by less it is doubtful."""
SMALL_MOUNTING = np.deg2rad(10.0)
"""A body turned by less against the camera is doubtful where nothing contradicts outright."""
SAME_TURN = 0.15
"""Of the angles by which images turn: what poses of a body that turns with the camera keep to."""


def judge_frames(
    frames: Sequence[SourceFrame],
    has_depth: bool,
    convention: PoseConvention = AS_USUAL,
    depth_scale: float = 1000.0,
    progress: Progress = silent,
    accept: bool = False,
) -> MapVerdict:
    """Whether images, poses and depth of frames belong together.

    Pairs of frames that show the same are found by their images alone. Where poses (and depth) put
    what both see elsewhere, other meanings of the same numbers are tried: inverted poses, other
    axes, other units, another body that the camera is mounted on.

    Args:
        frames: with poses, as they are understood.
        has_depth: whether the depth is to be looked at.
        convention: how the poses were understood.
        depth_scale: values per metre of the depth, as it was understood.
        progress: shows how far it is.
        accept: whether frames that contradict each other are told of, not refused.

    Raises:
        InputError: frames that contradict each other, unless `accept`; names the likeliest cause
            and the remedy.
    """
    pairs = view_pairs(frames, progress)
    if len(pairs) < LEAST_JUDGED:
        reason = (
            f"only {len(pairs)} pairs of keyframes show the same, too few to judge the poses by"
        )
        return MapVerdict(
            state="unknown", reason=reason, pairs=len(pairs), agreeing=0, error_degrees=None
        )
    poses = np.stack([frame.known_pose() for frame in frames])
    return judge_pairs(pairs, poses, has_depth, convention, depth_scale, accept)


def judge_pairs(
    pairs: Sequence[ViewPair],
    poses: FloatArray,
    has_depth: bool,
    convention: PoseConvention,
    depth_scale: float,
    accept: bool = False,
) -> MapVerdict:
    """As `judge_frames`, with the poses T_map_camera (K, 4, 4) and at least `LEAST_JUDGED` pairs.

    Raises:
        InputError: as `judge_frames`.
    """
    given = as_given(pairs, poses, convention)
    limit = AGREES[has_depth]
    others = alternatives(pairs, poses, convention, has_depth)
    factor = next((o.depth_factor for o in others if _is_scaled(o, convention)), None)
    agreeing = int((given.errors <= limit).sum())
    found = (
        f"{agreeing} of {len(pairs)} pairs of keyframes that show the same agree with their poses "
        f"(median {np.rad2deg(given.error):.2f} degrees off)"
    )
    better = _better(given, others, convention, limit)
    cause = None if better is None else cause_of(better, convention, depth_scale, _depth(pairs))
    is_refused = _is_refused(given, agreeing, better, convention)
    if is_refused:
        cause = cause or _vague_cause(given, pairs, poses)
    if is_refused and not accept:
        raise InputError(
            f"images and poses contradict each other, so no map is made: {found}; {cause} "
            "(--accept-inconsistent makes it all the same)"
        )
    doubts = [] if cause is None else [cause]
    if agreeing < MOST * len(pairs) and not doubts:
        doubts.append(_odd_keyframes(pairs, given.errors > limit))
    return MapVerdict(
        state="inconsistent" if is_refused else "doubtful" if doubts else "consistent",
        reason="; ".join([found, *doubts]),
        pairs=len(pairs),
        agreeing=agreeing,
        error_degrees=float(np.rad2deg(given.error)),
        depth_factor=factor,
    )


def _is_scaled(other: Agreement, convention: PoseConvention) -> bool:
    return other.convention == convention and other.mounting is None


def _better(
    given: Agreement, others: Sequence[Agreement], convention: PoseConvention, limit: float
) -> Agreement | None:
    """The simplest meaning that fits much better than the given one; None where there is none."""
    least = min((other.error for other in others), default=np.inf)
    close = (other for other in others if other.error <= NEARLY * least + NEGLIGIBLE)
    best = next(close, None)
    if best is None:
        return None
    if _is_scaled(best, convention):
        scale = max(best.depth_factor, 1 / best.depth_factor)
        return best if scale > SCALE_DOUBT and best.error < BETTER * given.error else None
    is_better = best.error < CLEARLY_BETTER * given.error and given.error > DOUBT
    # The position of a mounting is found only roughly.
    return best if is_better and (best.error < limit or best.mounting is not None) else None


def _is_refused(
    given: Agreement,
    agreeing: int,
    better: Agreement | None,
    convention: PoseConvention,
) -> bool:
    if better is not None and _is_scaled(better, convention):
        return max(better.depth_factor, 1 / better.depth_factor) > SCALE_TOLERANCE
    if agreeing > FEW * len(given.errors):
        return False
    turn = float(np.median(given.turns))
    if given.error > CONTRADICTS or (turn > WRONG_TURN and given.error > WRONG_WITH_TURN):
        return True
    return better is not None and (
        better.mounting is None or mounting_angle(better) > SMALL_MOUNTING
    )


def _depth(pairs: Sequence[ViewPair]) -> float:
    """The median depth in metres, nan without any."""
    depths = np.concatenate([np.concatenate(pair.depths) for pair in pairs])
    known = depths[np.isfinite(depths)]
    return float(np.median(known)) if len(known) else float("nan")


def _odd_keyframes(pairs: Sequence[ViewPair], is_off: NDArray[np.bool_]) -> str:
    if is_off.mean() > 0.5:
        return "the poses are inexact everywhere, or the intrinsics are wrong"
    off = [pair for pair, odd in zip(pairs, is_off, strict=True) if odd]
    named = ", ".join(f"{pair.first} and {pair.second}" for pair in off[:4])
    return f"keyframes {named} contradict each other: lost tracking, or wrong stamps?"


def _vague_cause(given: Agreement, pairs: Sequence[ViewPair], poses: FloatArray) -> str:
    turns = Rotation.from_matrix(np.stack([p.R_second_first for p in pairs])).magnitude()
    turns_as_far = turn_difference(pairs, poses) < SAME_TURN * float(np.median(turns))
    if turns_as_far and float(np.median(given.turns)) > WRONG_TURN:
        return (
            "the poses turn as far as the images but about other axes: they look like those of "
            "another body than the camera's optical frame, such as the robot's base; name it by "
            "--pose-frame (bags), or bring the poses to the camera"
        )
    return (
        "the poses do not belong to these images: check their stamps and order, and whether the "
        "tracking was lost"
    )
