"""What the weights of the small variant know of a rendered room that they have never seen."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.hallucinator import NeurHal
from dense_reloc_ros.neurhal.hallucinator_weights import (
    FOLDER,
    create_hallucinator,
    open_hallucinator,
)
from dense_reloc_ros.neurhal.tasks import Task
from dense_reloc_ros.training.data.depth_frames import load_depth_frame
from dense_reloc_ros.training.data.rooms import RenderedRooms, room_recordings
from dense_reloc_ros.training.hallucination_benchmark import (
    PairResult,
    drawn_pairs,
    measured,
    scene_views,
    uniform_nre,
)

WEIGHTS = FOLDER / "neurhal_compact.safetensors"


@pytest.fixture(scope="module")
def network() -> NeurHal:
    return open_hallucinator("neurhal_compact", torch.device("cpu"))


@pytest.fixture(scope="module")
def results(network: NeurHal, tmp_path_factory: pytest.TempPathFactory) -> list[PairResult]:
    rooms = RenderedRooms(
        cache=tmp_path_factory.mktemp("rooms"),
        rooms=1,
        first_seed=1850,
        frames=9,
        width=256,
        height=192,
        anywhere=True,
        quick=True,
    )
    frames = room_recordings(rooms)[0].frames
    views = scene_views(network, [load_depth_frame(frame) for frame in frames])
    pairs = drawn_pairs(views.overlaps, 1)
    return list(measured(network, views, pairs, LocalizerConfiguration()))


def test_the_file_is_what_its_description_says():
    loaded = load_weights(create_hallucinator("neurhal_compact"), WEIGHTS)
    assert loaded.is_trained
    description = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert description["weights_sha256"] == loaded.sha256
    assert WEIGHTS.stat().st_size < 4e6


@pytest.mark.parametrize("task", [Task.IDENTIFY, Task.OUTPAINT])
def test_places_are_more_likely_than_by_a_uniform_map(network, results, task):
    tasks = np.concatenate([result.tasks for result in results])
    nres = np.concatenate([result.nres[0.5] for result in results])
    assert (tasks == task).sum() > 100
    assert nres[tasks == task].mean() < uniform_nre(network, 0.5)


def test_points_that_are_seen_again_are_found_within_a_cell_and_a_half(results):
    tasks = np.concatenate([result.tasks for result in results])
    pixels = np.concatenate([result.pixels for result in results])
    cell = 16 * 640 / 256
    assert np.median(pixels[tasks == Task.IDENTIFY]) < 1.5 * cell


def test_poses_of_pairs_with_some_overlap_are_found(results):
    poses = [result.poses["NRE, γ 50%"] for result in results if result.pair.overlap > 0.15]
    found = [pose.translation < 1.5 and math.degrees(pose.rotation) < 20 for pose in poses]
    assert sum(found) >= 2
