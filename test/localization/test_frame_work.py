"""What a frame may cost at most: by its image, by its parameters, and by its time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from annotated_types import Ge, Gt, Le
from gallery import CAMERA, Gallery, looking
from scene.small_map import make_map
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dense_reloc_ros.configuration import LARGEST_WORK, LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.benchmarks.operations import operations_counted
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates, PreparedImage
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map

CPU = torch.device("cpu")
MOST_OPERATIONS = 660
"""Of a frame with one place."""
MOST_OPERATIONS_OF_TWO = 1100
MOST_OPERATIONS_AT_ONCE = 515
"""Of one of eight frames with one place: the network's are those of one."""
MOST_WAITS = 4
"""For the nearest keyframes, their evidence, the points to match, and their correspondence maps.

The latter two once more for another place.
"""
DEFAULTS = LocalizerConfiguration()


class Looking(Localizer):
    """Remembers what it gets, and takes its time in two stages."""

    def __init__(self, scene_map: SceneMap) -> None:
        super().__init__(scene_map, DEFAULTS, CPU, "looking")
        self.seen: list[tuple[tuple[int, ...], Camera]] = []

    def estimate(self, query: PreparedImage, prior: Any) -> PoseCandidates:
        self.seen.append((query.image.shape, query.camera))
        with query.stopwatch.stage("features"), query.stopwatch.stage("pose"):
            return PoseCandidates([])


@pytest.mark.parametrize("distortion", [(), (0.1, -0.2, 0.001, 0.002, 0.0)])
def test_an_image_of_20_megapixels_is_brought_to_what_the_map_can_use(distortion):
    """The map's keyframes have 64 x 48 pixels; a view may be twice as large each way."""
    localizer = Looking(make_map())
    camera = Camera(5184, 3888, 4050.0, 4050.0, 2591.5, 1943.5, distortion=distortion)
    halves = np.zeros((3888, 5184, 3), np.uint8)
    halves[:, 2592:] = 255
    localization = localizer.localize(halves, camera)
    assert localization.status is Status.NO_CANDIDATES
    shape, scaled = localizer.seen[0]
    assert shape == (96, 128, 3)
    assert (scaled.width, scaled.height, scaled.fx, scaled.cx) == (128, 96, 100.0, 63.5)


@pytest.mark.parametrize("size", [(31, 400), (400, 31), (1, 1)])
def test_images_of_hardly_any_pixels_are_refused(size):
    width, height = size
    localizer = Looking(make_map())
    localization = localizer.localize(
        np.zeros((height, width, 3), np.uint8), Camera(width, height, 50.0, 50.0, 0.0, 0.0)
    )
    assert localization.status is Status.INVALID_INPUT
    assert localization.reason == (
        f"an image of {width}x{height} is too small to be localized: 32 pixels each way are the "
        "least"
    )
    assert not localizer.seen


def test_a_frame_is_given_up_when_its_time_is_over_and_says_so():
    localizer = Looking(make_map())
    image, camera = np.zeros((48, 64, 3), np.uint8), Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
    localizer.max_frame_seconds = 0.0
    given_up = localizer.localize(image, camera)
    assert given_up.status is Status.NO_CANDIDATES
    assert given_up.reason == "given up before 'undistort' after 0 s, the frame's max_frame_seconds"
    localizer.max_frame_seconds = None
    assert localizer.localize(image, camera).reason == "too little of the map matches the image"


@pytest.mark.parametrize("level", [0, 255])
def test_an_image_that_shows_nothing_is_told_without_a_look_at_the_map(level):
    localizer = Looking(make_map())
    camera = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
    localization = localizer.localize(np.full((480, 640, 3), level, np.uint8), camera)
    assert localization.status is Status.NO_CANDIDATES
    assert localization.reason == (
        "the image shows nothing but noise: it is dark, or something covers the lens"
    )
    assert not localizer.seen


class ElementCount(TorchDispatchMode):
    """Counts the numbers that torch's operations give."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.elements += sum(
            leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)
        )
        return result


def legal_values(random_numbers: random.Random) -> dict[str, dict[str, Any]]:
    """A value of each whole number and each σ anywhere in its range."""
    values: dict[str, dict[str, Any]] = {}
    for block in ("retrieval", "matching", "nre", "feature_metric"):
        values[block] = {}
        for name, field in type(getattr(DEFAULTS, block)).model_fields.items():
            low = [
                m.ge if isinstance(m, Ge) else m.gt
                for m in field.metadata
                if isinstance(m, Ge | Gt)
            ]
            high = [m.le for m in field.metadata if isinstance(m, Le)]
            if field.annotation is int and name != "memory_mb":
                values[block][name] = random_numbers.randint(low[0], high[0])
            elif field.annotation is float and name.endswith("sigma"):
                values[block][name] = random_numbers.uniform(0.1, high[0])
    return values


def legal_configurations(count: int) -> Iterator[LocalizerConfiguration]:
    """Random ones; the largest values are lowered until they are legal together."""
    numbers = random.Random(0)
    for _ in range(count):
        values = legal_values(numbers)
        while True:
            try:
                yield block_from_mapping(LocalizerConfiguration, values)
                break
            except ConfigurationError:
                block = numbers.choice(["retrieval", "matching", "nre", "feature_metric"])
                name = numbers.choice(list(values[block]))
                default = getattr(getattr(DEFAULTS, block), name)
                values[block][name] = (values[block][name] + default) / 2
                if isinstance(default, int):
                    values[block][name] = int(values[block][name])


@pytest.fixture(scope="module")
def localizer(gallery: Gallery) -> SparseToDenseLocalizer:
    describer = DenseDescriber(create_extractor("effnet_lite0", CPU), 200)
    scene_map = build_from_depth(gallery.keyframes(), describer)
    return SparseToDenseLocalizer(scene_map, DEFAULTS, CPU, "nre_feature_pnp")


def test_legal_parameters_cost_no_more_than_a_few_times_the_default(gallery, localizer):
    image = gallery.render(looking(110, distance=0.3, height=1.3, pitch=2.0)).image
    costs = []
    for configuration in (DEFAULTS, *legal_configurations(6)):
        localizer.configuration = configuration
        with ElementCount() as count:
            localizer.localize(image, CAMERA)
        costs.append(count.elements)
    # All steps together and all of them repeated for what is unsure (other turns, other places).
    assert max(costs) < 3 * LARGEST_WORK * costs[0], costs


@pytest.mark.parametrize(
    ("common_points", "places", "operations", "waits"),
    # Keyframes that have no 1000 points in common are places of their own.
    [(5, 1, MOST_OPERATIONS, MOST_WAITS), (1000, 2, MOST_OPERATIONS_OF_TWO, MOST_WAITS + 2)],
)
def test_a_frame_takes_few_operations_and_waits_a_few_times(
    common_points, places, operations, waits, gallery, gallery_map
):
    options = block_from_mapping(
        LocalizerConfiguration, {"retrieval": {"common_points": common_points}}
    )
    localizer = SparseToDenseLocalizer(gallery_map, options, CPU, "nre_feature_pnp")
    image = gallery.render(looking(110, distance=0.3, height=1.3, pitch=2.0)).image
    with operations_counted() as counter:
        localization = localizer.localize(image, CAMERA)
    assert localization.status is Status.LOCALIZED
    counted = counter.frame("one")
    assert counted.places == places
    assert counted.whole.operations <= operations, counted.stages
    assert counted.whole.synchronizations <= waits, counted.stages


def test_of_eight_frames_at_once_each_takes_an_eighth_of_the_network(gallery, gallery_map):
    localizer = SparseToDenseLocalizer(gallery_map, DEFAULTS, CPU, "nre_feature_pnp")
    image = gallery.render(looking(110, distance=0.3, height=1.3, pitch=2.0)).image
    with operations_counted() as counter:
        localizations = list(localizer.localize_many(8 * [(image, CAMERA)], at_once=8))
    assert all(one.status is Status.LOCALIZED for one in localizations)
    counted = counter.frame("eight")
    assert counted.places == 8
    assert counted.whole.operations <= 8 * MOST_OPERATIONS_AT_ONCE, counted.stages
    assert counted.whole.synchronizations <= 8 * MOST_WAITS, counted.stages


def test_a_map_that_is_cut_short_under_a_localizer_is_the_reason_not_the_end(
    gallery, localizer, tmp_path
):
    """Memory-mapped, it would end this process by SIGBUS."""
    write_map(tmp_path / "map", localizer.scene_map)
    opened = open_localizer(tmp_path / "map", DEFAULTS, device="cpu")
    image = gallery.render(looking(110, distance=0.3, height=1.3, pitch=2.0)).image
    assert opened.localize(image, CAMERA).status is Status.LOCALIZED
    file = tmp_path / "map/tensors.safetensors"
    os.truncate(file, 4096)
    for _ in range(2):
        localization = opened.localize(image, CAMERA)
        assert localization.status is Status.INVALID_INPUT
        assert localization.reason == (
            f"{file}: was changed while the map was open; load the map again"
        )


def test_neither_opening_a_map_nor_a_frame_needs_torchs_compiler(gallery, localizer, tmp_path):
    """It is seconds of a start-up, and torchvision brings it, too."""
    write_map(tmp_path / "map", localizer.scene_map)
    script = (
        "import sys, numpy as np; from pathlib import Path;"
        "from dense_reloc_ros.configuration import LocalizerConfiguration;"
        "from dense_reloc_ros.localization.factory import open_localizer;"
        "opened = open_localizer(Path(sys.argv[1]), LocalizerConfiguration(), device='cpu');"
        "keyframe = opened.scene_map.cameras[0];"
        "image = np.zeros((keyframe.height, keyframe.width, 3), np.uint8);"
        "opened.localize(image, keyframe);"
        "print(sorted({'torch._dynamo', 'torchvision'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "map")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
