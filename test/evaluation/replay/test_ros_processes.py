from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.evaluation.replay import ros_processes
from dense_reloc_ros.evaluation.replay.ros_processes import (
    NodeProcess,
    default_parameter_file,
    isolated_environment,
    require_ros,
)


def test_without_ros_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RelocError, match=r"(?s)rclpy.*make build.*source install/setup\.bash"):
        require_ros()


def test_the_parameter_file_is_that_of_the_installed_package(tmp_path: Path, monkeypatch):
    config = tmp_path / "share" / "dense_reloc_ros" / "config"
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(["", "/nowhere", str(tmp_path)]))
    with pytest.raises(RelocError, match="AMENT_PREFIX_PATH"):
        default_parameter_file()
    config.mkdir(parents=True)
    (config / "reloc.yaml").touch()
    assert default_parameter_file() == config / "reloc.yaml"


def test_nodes_are_alone_in_their_domain(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "102")
    environment = isolated_environment(tmp_path, 1000)
    domain = int(environment["ROS_DOMAIN_ID"])
    assert 1 <= domain <= 101
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert environment["PATH"] == os.environ["PATH"]


def test_a_domain_in_use_is_not_taken(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ros_processes, "DOMAINS", [1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        # The port of the first participant in domain 1, as the RTPS specification lays down.
        other.bind(("", 7400 + 250 + 10))
        with pytest.raises(RelocError, match="in use"):
            isolated_environment(tmp_path, 1000)


def test_shared_memory_holds_several_images(tmp_path: Path):
    environment = isolated_environment(tmp_path, 6_000_000)
    root = ElementTree.parse(environment["FASTDDS_DEFAULT_PROFILES_FILE"]).getroot()
    values = {element.tag.split("}")[1]: element.text for element in root.iter()}
    assert int(values["maxMessageSize"]) > 6_000_000
    assert int(values["segment_size"]) >= 4 * int(values["maxMessageSize"])


def test_a_profile_of_the_user_is_kept(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/mine.xml")
    environment = isolated_environment(tmp_path, 1000)
    assert environment["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/mine.xml"
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in environment


@pytest.fixture
def start(tmp_path: Path):
    """Makes a process of Python code."""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}

    def start(code: str) -> NodeProcess:
        (tmp_path / "module_of_test.py").write_text(code)
        return NodeProcess("module_of_test", ["argument"], environment, tmp_path / "log")

    return start


def wait(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_is_ended_when_the_context_is_left(start, tmp_path: Path):
    with start("import time; print('up'); time.sleep(600)") as process:
        wait(lambda: "up" in (tmp_path / "log").read_text())
        assert process.status is None
    assert process.status is not None


def test_a_process_that_ignores_signals_is_killed(start, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ros_processes, "STOP_SECONDS", 0.2)
    code = "import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\n"
    with start(code + "print('up'); time.sleep(600)") as process:
        wait(lambda: "up" in (tmp_path / "log").read_text())
    assert process.status == -9


def test_last_lines_are_the_errors_where_there_are_some(start):
    code = "import sys\nfor i in range(30): print('line', i)\n"
    with start(code + "print(sys.argv[1])") as process:
        wait(lambda: process.status is not None)
        lines = process.last_lines().splitlines()
    assert lines[-2:] == ["line 29", "argument"]
    assert len(lines) < 30
    with start(code + "print('[ERROR] bad', 7)\nprint('bye')") as process:
        wait(lambda: process.status is not None)
        assert process.last_lines() == "[ERROR] bad 7"
    with start("") as process:
        wait(lambda: process.status is not None)
        assert process.last_lines() == "(it said nothing)"


def test_the_interpreter_is_this_one(start, tmp_path: Path):
    with start("import sys; print(sys.executable)") as process:
        wait(lambda: process.status is not None)
    assert (tmp_path / "log").read_text().strip() == sys.executable


def test_the_profile_that_ships_is_the_one_that_replay_uses_but_for_its_sizes(tmp_path: Path):
    environment = isolated_environment(tmp_path, 6_000_000)
    used = ElementTree.parse(environment["FASTDDS_DEFAULT_PROFILES_FILE"]).getroot()
    config = Path(__file__).parents[3] / "config" / "fastdds.xml"
    shipped = ElementTree.parse(config).getroot()
    pairs = list(zip(used.iter(), shipped.iter(), strict=True))
    differing = [
        other.tag.split("}")[1]
        for one, other in pairs
        if (one.tag, (one.text or "").strip()) != (other.tag, (other.text or "").strip())
    ]
    assert differing == ["segment_size", "maxMessageSize"]
    sizes = {element.tag.split("}")[1]: element.text for element in shipped.iter()}
    # A raw image of 5 megapixels, and four of them at once.
    assert int(sizes["maxMessageSize"]) >= 3 * 5_000_000
    assert int(sizes["segment_size"]) >= 4 * int(sizes["maxMessageSize"])
