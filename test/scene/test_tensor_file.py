"""Rows of a file are those of the tensor, and a file that changes is noticed, not crashed on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.tensor_file import TensorFile
from dense_reloc_ros.scene.writer import write_map

CHANGED = "tensors.safetensors: was changed while the map was open; load the map again"


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        # Rows of 20 kB: far enough from each other that they are read one by one.
        "wide": torch.randn(40, 10_000, generator=generator).half(),
        "narrow": torch.randint(-9, 9, (1000, 2, 3), generator=generator),
        "flags": torch.rand(7, generator=generator) > 0.5,
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "nothing": torch.empty(0, 4),
    }
    save_file(tensors, tmp_path / "file.safetensors", {"revision": "7"})
    return tensors


def test_tensors_are_those_that_safetensors_wrote(tmp_path, stored):
    file = TensorFile(tmp_path / "file.safetensors")
    assert set(file.names) == set(stored)
    assert file.metadata == {"revision": "7"}
    for name, expected in stored.items():
        found = file.tensor(name)
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ["wide", "narrow"])
@pytest.mark.parametrize("rows", [[], [3], [5, 0, 5, 39], [39, 38, 0], list(range(40))])
def test_rows_come_in_the_order_that_they_are_asked_for(tmp_path, stored, name, rows):
    indices = torch.tensor(rows, dtype=torch.int64)
    found = TensorFile(tmp_path / "file.safetensors").rows(name)[indices]
    assert torch.equal(found, stored[name][indices])


@pytest.mark.parametrize(
    "rows", [slice(None), slice(4, 9), slice(9, 4), slice(35, 99), slice(2, 2)]
)
def test_slices_are_those_of_a_tensor(tmp_path, stored, rows):
    found = TensorFile(tmp_path / "file.safetensors").rows("wide")[rows]
    assert torch.equal(found, stored["wide"][rows])


def cut_short(file: Path, other: Path) -> None:
    os.truncate(file, 1000)


def copied_over(file: Path, other: Path) -> None:
    shutil.copyfile(other, file)  # as cp and rsync --inplace do


def emptied_and_copied_over(file: Path, other: Path) -> None:
    os.truncate(file, 0)
    shutil.copyfile(other, file)


@pytest.mark.parametrize("change", [cut_short, copied_over, emptied_and_copied_over])
def test_a_map_that_is_changed_in_place_is_refused_from_then_on(tmp_path, map_path, change):
    write_map(tmp_path / "other", make_map(seed=1))
    scene_map = load_map(map_path)
    points, poses = scene_map.points.clone(), scene_map.keyframe_poses.clone()
    name = "tensors.safetensors"
    change(map_path / name, tmp_path / "other" / name)
    with pytest.raises(MapError) as caught:
        scene_map.descriptors["fine"][torch.tensor([0, 3])]
    assert str(caught.value) == f"{map_path}/{CHANGED}"
    # What is in memory stays what it was.
    assert torch.equal(scene_map.points, points)
    assert torch.equal(scene_map.keyframe_poses, poses)


def test_an_open_map_is_its_own_revision_after_it_was_replaced(map_path, scene_map):
    opened = load_map(map_path)
    write_map(map_path, make_map(seed=1))
    for name, expected in scene_map.descriptors.items():
        assert torch.equal(opened.descriptors[name][:], expected)
    assert not torch.equal(load_map(map_path).points, scene_map.points)
