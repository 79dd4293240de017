"""Bags as the world has them: other topics, other writers, cut files, and any bytes at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from backports import zstd
from bags.tiny_mcap import Topic, mcap
from fuzzing import mangled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.create import create_bag
from dense_reloc_ros.errors import InputError

TYPES = get_typestore(Stores.ROS2_JAZZY)
STRING = TYPES.types["std_msgs/msg/String"]
NAMES = ("one", "two", "three")


def cdr(text: str) -> bytes:
    return bytes(TYPES.serialize_cdr(STRING(data=text), "std_msgs/msg/String"))


def strings() -> Topic:
    messages = tuple((10 * i, cdr(name)) for i, name in enumerate(NAMES, start=1))
    return Topic("/names", "std_msgs/msg/String", "ros2msg", b"string data\n", "cdr", messages)


def json(schema: bytes = b"{}") -> Topic:
    return Topic("/log", "foxglove.Log", "jsonschema", schema, "json", ((40, b"{}"),))


def said(path: Path) -> list[str]:
    with BagReader(path) as bag:
        return [bag.decode(message).data for message in bag.messages(["/names"])]


def bag_of_strings(path: Path, storage: StoragePlugin, count: int = 40) -> Path:
    with Writer(path, version=9, storage_plugin=storage) as writer:
        connection = writer.add_connection("/names", "std_msgs/msg/String", typestore=TYPES)
        for index in range(count):
            writer.write(connection, index + 1, cdr(f"{index}" * 200))
    return path


@pytest.mark.parametrize("indexed", [True, False])
def test_a_topic_in_json_is_ignored(tmp_path, indexed):
    path = tmp_path / "bag.mcap"
    path.write_bytes(mcap([json(), strings()], indexed=indexed))
    assert said(path) == list(NAMES)
    with BagReader(path) as bag:
        assert bag.topics == {"/names": "std_msgs/msg/String"}


@pytest.mark.parametrize("indexed", [True, False])
def test_files_without_a_profile_are_read(tmp_path, indexed):
    path = tmp_path / "bag.mcap"
    path.write_bytes(mcap([strings()], profile="", indexed=indexed))
    assert said(path) == list(NAMES)


def test_files_of_another_profile_are_refused(tmp_path):
    path = tmp_path / "bag.mcap"
    path.write_bytes(mcap([strings()], profile="ros1"))
    with pytest.raises(InputError, match=r"bag.mcap: not a readable rosbag2: Profile is not ros2"):
        said(path)


def test_a_folder_without_metadata_is_read_by_its_files(tmp_path, caplog):
    folder = bag_of_strings(tmp_path / "bag", StoragePlugin.MCAP)
    (folder / "metadata.yaml").unlink()
    assert len(said(folder)) == 40
    assert "metadata.yaml is missing" in caplog.text


def test_a_folder_with_a_json_topic_is_read(tmp_path):
    folder = bag_of_strings(tmp_path / "bag", StoragePlugin.MCAP)
    metadata = (folder / "metadata.yaml").read_text()
    (folder / "metadata.yaml").write_text(metadata.replace("cdr", "json"))
    (folder / "bag.mcap").write_bytes(mcap([json(), strings()]))
    assert said(folder) == list(NAMES)


@pytest.mark.parametrize("keep", [0.4, 0.99])
@pytest.mark.parametrize(
    ("storage", "remedy"),
    [(StoragePlugin.MCAP, "mcap recover"), (StoragePlugin.SQLITE3, "ros2 bag reindex")],
)
def test_cut_files_are_refused_with_what_to_do(tmp_path, storage, remedy, keep):
    folder = bag_of_strings(tmp_path / "bag", storage)
    (file,) = (file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])
    with pytest.raises(InputError, match=remedy) as caught:
        said(folder)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_incomplete_compressed_files_are_refused_with_what_to_do(tmp_path, keep):
    folder = bag_of_strings(tmp_path / "bag", StoragePlugin.SQLITE3)
    file = folder / "bag.db3"
    whole = zstd.compress(file.read_bytes())
    (folder / "bag.db3.zstd").write_bytes(whole)
    file.unlink()
    metadata = (folder / "metadata.yaml").read_text().replace("bag.db3", "bag.db3.zstd")
    metadata = metadata.replace('compression_format: ""', "compression_format: zstd")
    metadata = metadata.replace("compression_format: ''", "compression_format: zstd")
    metadata = metadata.replace('compression_mode: ""', "compression_mode: file")
    metadata = metadata.replace("compression_mode: ''", "compression_mode: file")
    (folder / "metadata.yaml").write_text(metadata)
    assert len(said(folder)) == 40
    (folder / "bag.db3.zstd").write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError, match="copy the compressed files again") as caught:
        said(folder)
    assert "\n" not in str(caught.value)


FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300
)
BYTES = st.one_of(
    mangled(mcap([json(), strings()])),
    mangled(mcap([strings()], profile="", indexed=False)),
    st.binary(max_size=120).map(b"\x89MCAP0\r\n".__add__),
)


@given(BYTES)
@FUZZ
def test_any_bytes_are_a_bag_or_one_line(tmp_path, content):
    path = tmp_path / "fuzzed.mcap"
    path.write_bytes(content)
    try:
        assert all(isinstance(text, str) for text in said(path))
    except InputError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


@given(st.data())
@settings(FUZZ, max_examples=100)
def test_any_bytes_are_a_database_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "bag"
    folder = bag_of_strings(path, StoragePlugin.SQLITE3, count=3)
    try:
        (folder / "bag.db3").write_bytes(data.draw(mangled((folder / "bag.db3").read_bytes())))
        assert all(isinstance(text, str) for text in said(folder / "bag.db3"))
    except InputError as error:
        assert "\n" not in str(error)
    finally:
        shutil.rmtree(path)


@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_a_cut_recording_of_images_says_how_to_save_it(tmp_path, recording, camera, keep):
    create_bag(recording, camera, tmp_path / "bag")
    file = tmp_path / "bag" / "bag.mcap"
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])
    with pytest.raises(InputError, match=f"try `mcap recover {file} -o recovered.mcap`"):
        BagReader(tmp_path / "bag").__enter__()
