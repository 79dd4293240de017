"""However long a video is, the features of two frames are held at most."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.temporal.fused_frames import AcceptedFrame, LocalizedFrame
from dense_reloc_ros.temporal.history import History

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
POSE = PoseEstimate(np.eye(4), np.eye(6), 0.5, np.arange(3), (0,))


def frame(index: int, rate: int) -> LocalizedFrame:
    values = torch.full((1, 2, 3, 4), float(index))
    features = DenseFeatures({"coarse": FeatureLevel(16, 7.5, values)}, torch.zeros(1, 1))
    stamp = index * 10**9 // rate
    return LocalizedFrame(stamp, CAMERA, features, Localization(Status.NO_CANDIDATES, ""))


@pytest.mark.parametrize("rate", [15, 2000])
@pytest.mark.parametrize(("accepted", "most"), [(1.0, 1), (0.3, 2), (0.0, 1)])
def test_features_are_let_go(accepted, most, rate):
    history, rng = History(), np.random.default_rng(0)
    features = []
    for index in range(500):
        new = frame(index, rate)
        features.append(weakref.ref(new.features))
        history.see(new.stamp, new.features)
        if rng.uniform() < accepted:
            history.accept(new.stamp, AcceptedFrame(CAMERA, new.features, POSE))
        del new
        assert sum(reference() is not None for reference in features[-100:]) <= most
    assert 1 <= sum(reference() is not None for reference in features) <= most
