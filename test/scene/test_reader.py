"""Damaged, foreign and hostile map folders give one clear line; sound ones open without reading."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap


def change_information(map_path: Path, **values: object) -> None:
    file = map_path / "map.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | values))


def change_tensors(map_path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    file = map_path / "tensors.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(tensors)
    save_file(tensors, file)


def refusal(map_path: Path, verify_content: bool = False) -> str:
    with pytest.raises(MapError) as caught:
        load_map(map_path, verify_content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_sound_maps_open_and_verify(map_path, scene_map):
    read = load_map(map_path, verify_content=True)
    assert read.keyframe_count == 3
    assert read.observations(1) == scene_map.observations(1)
    assert read.information.calibration.temperatures == {"fine": 20.0}


def test_opening_does_not_read_the_descriptors(tmp_path, map_path):
    """Descriptors of 400 MB, a hole in a sparse file, must not arrive in memory."""
    channels, observations = 2_000_000, load_map(map_path).information.observation_count
    content = json.loads((map_path / "map.json").read_text())
    content["signature"]["levels"] = {"fine": {"stride": 4, "channels": channels}}
    (map_path / "map.json").write_text(json.dumps(content))
    file = map_path / "tensors.safetensors"
    tensors = load_file(file)
    header, data = {}, b""
    for name in [n for n in tensors if not n.startswith("descriptors.")]:
        value = tensors[name].numpy()
        dtype = {"float64": "F64", "float32": "F32", "int64": "I64"}[str(value.dtype)]
        end = len(data) + value.nbytes
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": [len(data), end]}
        data += value.tobytes()
    size = 2 * channels * observations
    header["descriptors.fine"] = {
        "dtype": "F16",
        "shape": [observations, channels],
        "data_offsets": [len(data), len(data) + size],
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
    with file.open("r+b") as sparse:
        sparse.truncate(8 + len(text) + len(data) + size)

    before = resident_bytes()
    scene_map = load_map(map_path)
    assert scene_map.descriptors["fine"].shape == (observations, channels)
    assert scene_map.descriptors["fine"][torch.tensor([observations - 1])][0, -1] == 0
    assert resident_bytes() - before < size / 10


def resident_bytes() -> int:
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


def test_paths_that_are_no_map(tmp_path, map_path):
    assert refusal(tmp_path / "absent") == f"{tmp_path / 'absent'}: no such map"
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file") == f"{tmp_path / 'file'}: not a folder"
    assert refusal(tmp_path) == f"{tmp_path}: not a map, map.json is missing"
    (map_path / "tensors.safetensors").unlink()
    assert refusal(map_path) == f"{map_path / 'tensors.safetensors'}: no such file"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"', "{}", "\x00", "[" * 100_000])
def test_map_json_that_is_something_else(map_path, text):
    (map_path / "map.json").write_text(text)
    assert refusal(map_path) == f"{map_path / 'map.json'}: not the description of a map"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"format_version": 2, "new": 1}, "format version 2, but this software reads 1"),
        ({"point_count": "many"}, "point_count: Input should be a valid integer"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"signature": {"method": "nre"}}, "signature.network: Field required"),
    ],
)
def test_altered_map_json_is_named(map_path, values, reason):
    change_information(map_path, **values)
    assert refusal(map_path).startswith(f"{map_path / 'map.json'}: {reason}")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"point_count": 21}, "'points' is (20, 3) torch.float32, but map.json says (21, 3)"),
        ({"keyframe_names": ["a"]}, "'keyframe_poses' is (3, 4, 4)"),
        ({"keyframe_names": []}, "'keyframe_poses' is (3, 4, 4)"),
        ({"observation_count": -1}, "'observation_points' is"),
        ({"bounding_box": [[0, 0, 0], [1, 1, 1]]}, "do not fill the bounding box"),
    ],
)
def test_counts_that_disagree_are_named(map_path, values, reason):
    change_information(map_path, **values)
    assert reason in refusal(map_path)


def set_value(name: str, index: object, value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_value("keyframe_poses", (1, 0, 3), torch.inf), "'keyframe_poses' has values"),
        (set_value("keyframe_poses", (1, 0, 0), 5.0), "not a rigid motion"),
        (set_value("keyframe_poses", (1, slice(3), 0), 0.0), "not a rigid motion"),
        (set_value("keyframe_poses", (1, 3, 0), 1.0), "not a rigid motion"),
        (set_value("keyframe_intrinsics", (0, 2), -1.0), "not positive"),
        (set_value("keyframe_intrinsics", (0, 0), 1.5), "not positive"),
        (set_value("keyframe_intrinsics", (0, 4), torch.nan), "not finite"),
        (set_value("points", (3, 2), torch.nan), "'points' has values that are not finite"),
        (set_value("observation_offsets", 1, 10_000), "'observation_offsets' do not rise"),
        (set_value("observation_offsets", 0, 1), "'observation_offsets' do not rise"),
        (set_value("observation_points", 0, 20), "index outside the points"),
        (set_value("observation_points", 0, -1), "index outside the points"),
        (set_value("observation_pixels", (0, 0), -0.6), "pixel outside its image"),
        (set_value("observation_pixels", (0, 1), 47.6), "pixel outside its image"),
        (set_value("observation_pixels", (0, 1), torch.nan), "'observation_pixels' has values"),
        (lambda tensors: tensors.pop("points"), "'points' is missing"),
        (lambda tensors: tensors.pop("descriptors.coarse"), "'descriptors.coarse' is missing"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "'more' does not belong"),
        (
            lambda tensors: tensors.update({"retrieval.gem": torch.zeros(2, 5)}),
            "'retrieval.gem' is (2, 5), but map.json names 3 keyframes",
        ),
        (
            lambda tensors: tensors.update(point_colours=torch.zeros(19, 3)),
            "'point_colours' is (19, 3) torch.float32, but map.json says (20, 3) torch.uint8",
        ),
        (
            lambda tensors: tensors.update(points=tensors["points"].double()),
            "'points' is (20, 3) torch.float64, but map.json says (20, 3) torch.float32",
        ),
    ],
)
def test_altered_tensors_are_named(map_path, change, reason):
    change_tensors(map_path, change)
    message = refusal(map_path)
    assert message.startswith(f"{map_path / 'tensors.safetensors'}: ")
    assert reason in message


def test_changed_descriptors_show_when_the_content_is_verified(map_path):
    change_tensors(map_path, set_value("descriptors.fine", (0, 0), 0.25))
    load_map(map_path)
    assert "tensors.safetensors: altered: its revision is" in refusal(map_path, verify_content=True)


def assert_sound(scene_map: SceneMap) -> None:
    """What code that uses a map relies on."""
    assert torch.isfinite(scene_map.points).all()
    assert torch.isfinite(scene_map.keyframe_poses).all()
    for keyframe in range(scene_map.keyframe_count):
        seen = scene_map.observation_points[scene_map.observations(keyframe)]
        assert scene_map.points[seen].shape == (len(seen), 3)
    for descriptors in scene_map.descriptors.values():
        assert len(descriptors) == len(scene_map.observation_points)


fuzzing = settings(
    max_examples=int(os.environ.get("DENSE_RELOC_FUZZ", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@fuzzing
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_tensors_never_open(map_path, share):
    copy = map_path.with_name("truncated")
    shutil.copytree(map_path, copy, dirs_exist_ok=True)
    content = (map_path / "tensors.safetensors").read_bytes()
    (copy / "tensors.safetensors").write_bytes(content[: int(share * len(content))])
    assert refusal(copy).startswith(f"{copy / 'tensors.safetensors'}: truncated or altered")


@fuzzing
@given(
    changes=st.dictionaries(
        st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.2, exclude_max=True)),
        st.binary(min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_altered_tensors_open_only_while_they_are_sound(map_path, changes):
    copy = map_path.with_name("altered")
    shutil.copytree(map_path, copy, dirs_exist_ok=True)
    original = (map_path / "tensors.safetensors").read_bytes()
    content = bytearray(original)
    for share, value in changes.items():
        begin = int(share * len(content))
        content[begin : begin + len(value)] = value
    (copy / "tensors.safetensors").write_bytes(content)
    try:
        assert_sound(load_map(copy))
    except MapError as error:
        assert str(error).startswith(f"{copy / 'tensors.safetensors'}: ")
    if bytes(content) != original:
        refusal(copy, verify_content=True)


@fuzzing
@given(
    changes=st.dictionaries(
        st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6), max_size=4
    ),
    share=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_altered_map_json_opens_or_is_one_line(map_path, changes, share):
    copy = map_path.with_name("altered")
    shutil.copytree(map_path, copy, dirs_exist_ok=True)
    content = bytearray((map_path / "map.json").read_bytes())
    for place, value in changes.items():
        begin = int(place * len(content))
        content[begin : begin + len(value)] = value
    (copy / "map.json").write_bytes(content[: int(share * len(content))])
    try:
        assert_sound(load_map(copy))
    except MapError as error:
        assert str(error).startswith(str(copy))
        assert "\n" not in str(error)
