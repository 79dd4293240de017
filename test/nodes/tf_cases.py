"""Questions to a tree of frames that everybody must answer alike who follows TF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nodes.poses import pose
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid

Said = tuple[str, str, float | None, FloatArray]
"""Parent, child, seconds (None: static) and `T_parent_child`."""
T_HEAD, T_CAMERA, T_HAND, T_LASER = pose(11), pose(12), pose(13), pose(14)
BIG = 1_750_000_000.0


def straight(x: float, degrees: float = 0.0) -> FloatArray:
    """`x` metres ahead, turned to the left."""
    rotation = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return rigid(rotation, np.array([x, 0.0, 0.0]))


@dataclass(frozen=True)
class TfCase:
    """What was said, in this order, and a question about it."""

    name: str
    said: tuple[Said, ...]
    target: str
    source: str
    seconds: float
    """0: the newest."""
    expected: FloatArray | None
    """`T_target_source`; None: refused."""


TREE: tuple[Said, ...] = (
    ("base", "head", None, T_HEAD),
    ("head", "camera", None, T_CAMERA),
    ("base", "hand", None, T_HAND),
    ("odom", "base", 10.0, straight(1.0)),
    ("odom", "base", 12.0, straight(3.0, 90.0)),
)
DRIVE: tuple[Said, ...] = tuple(("odom", "base", float(s), straight(s)) for s in range(1, 31))


def cases() -> list[TfCase]:
    """The table."""
    T_quarter = straight(1.5, 22.5)
    far = tuple((parent, child, s and s + BIG, T) for parent, child, s, T in TREE)
    return [
        TfCase("a sample", TREE, "odom", "base", 10.0, straight(1.0)),
        TfCase("between samples", TREE, "odom", "base", 10.5, T_quarter),
        TfCase("backwards", TREE, "base", "odom", 10.5, inverse(T_quarter)),
        TfCase("a chain", TREE, "odom", "camera", 10.5, T_quarter @ T_HEAD @ T_CAMERA),
        TfCase("stamps of today", far, "odom", "base", BIG + 10.5, T_quarter),
        TfCase("over an ancestor", TREE, "hand", "head", 10.5, inverse(T_HAND) @ T_HEAD),
        TfCase("static at any time", TREE, "hand", "head", 999.0, inverse(T_HAND) @ T_HEAD),
        TfCase("static as the newest", TREE, "head", "camera", 0.0, T_CAMERA),
        TfCase("the newest", TREE, "odom", "base", 0.0, straight(3.0, 90.0)),
        TfCase("a frame in itself", TREE, "base", "base", 10.5, np.eye(4)),
        TfCase("too early", TREE, "odom", "base", 9.9, None),
        TfCase("too late", TREE, "odom", "base", 12.1, None),
        TfCase("too late for a chain", TREE, "camera", "odom", 12.1, None),
        TfCase("no such target", TREE, "moon", "base", 10.5, None),
        TfCase("no such source", TREE, "base", "moon", 10.5, None),
        TfCase("another tree", (*TREE, ("map", "door", None, T_HAND)), "map", "base", 10.5, None),
        TfCase("one sample only", TREE[:4], "odom", "base", 10.0, straight(1.0)),
        TfCase("beside the only sample", TREE[:4], "odom", "base", 10.1, None),
        TfCase(
            "the newest of all in a chain",
            (*DRIVE[:3], ("base", "head", 1.0, T_HEAD), ("base", "head", 2.0, T_HEAD)),
            *("odom", "head", 0.0, straight(2.0) @ T_HEAD),
        ),
        TfCase("in any order", tuple(reversed(DRIVE[:9])), "odom", "base", 6.5, straight(6.5)),
        TfCase(
            "said again",
            (*TREE, ("odom", "base", 12.0, straight(7.0))),
            "odom",
            "base",
            12.0,
            straight(7.0),
        ),
        TfCase("ten seconds ago", DRIVE, "odom", "base", 20.0, straight(20.0)),
        TfCase("longer ago", DRIVE, "odom", "base", 18.9, None),
        TfCase(
            "late by more than is kept",
            (*DRIVE, ("odom", "base", 5.0, straight(5.0))),
            *("odom", "base", 5.0, None),
        ),
        TfCase(
            "another static pose",
            (*TREE, ("head", "camera", None, T_LASER)),
            "head",
            "camera",
            10.5,
            T_LASER,
        ),
        TfCase(
            "static from now on",
            (*TREE, ("odom", "base", None, T_LASER)),
            "odom",
            "base",
            99.0,
            T_LASER,
        ),
    ]
