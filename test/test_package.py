"""The package as robots, pip and CI see it."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rosbags.typesys import Stores, get_typestore

import dense_reloc_ros
from dense_reloc_ros.localization.result import Status

ROOT = Path(__file__).parents[1]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_version_and_licence_are_the_same_everywhere(setup: configparser.ConfigParser) -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert (
        package.findtext("version") == setup["metadata"]["version"] == dense_reloc_ros.__version__
    )
    assert package.findtext("license") == setup["metadata"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_every_interface_is_generated() -> None:
    listed = re.findall(r"^ +((?:action|msg|srv)/\w+\.\w+)$", cmake(), re.MULTILINE)
    present = [
        path.relative_to(ROOT)
        for kind in ("action", "msg", "srv")
        for path in (ROOT / kind).iterdir()
    ]
    assert sorted(listed) == sorted(map(str, present))


def test_installed_executables_exist() -> None:
    modules = re.findall(r"^install_executable\(\S+ dense_reloc_ros\.(\S+) ", cmake(), re.MULTILINE)
    assert modules
    for module in modules:
        source = (ROOT / "dense_reloc_ros" / (module.replace(".", "/") + ".py")).read_text()
        assert re.search(r"^def main\(.*\) -> int:", source, re.MULTILINE), module


def cmake() -> str:
    return (ROOT / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_one_fitting_version_of_each_requirement(python: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }
    locked: dict[str, str] = {}
    for entry in requirements("lock"):
        if entry.marker is None or entry.marker.evaluate(environment):
            name = canonicalize_name(entry.name)
            assert name not in locked, f"{name} is locked twice"
            (specifier,) = entry.specifier
            assert specifier.operator == "=="
            locked[name] = specifier.version
    for part in ("library", "ros", "development"):
        for requirement in requirements(part):
            version = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), requirement


def test_lower_bounds_are_those_promised() -> None:
    bounds = {str(requirement) for requirement in requirements("library")}
    assert {"torch>=2.4", "numpy>=1.26"} <= bounds


def test_nothing_outside_the_nodes_imports_ros() -> None:
    """Every other module is imported with all of ROS hidden."""
    program = """
import importlib, pkgutil, sys
for hidden in ("rclpy", "launch", "sensor_msgs", "geometry_msgs", "std_msgs", "tf2_msgs"):
    sys.modules[hidden] = None
import dense_reloc_ros
count = 0
for module in pkgutil.walk_packages(dense_reloc_ros.__path__, "dense_reloc_ros."):
    parts = module.name.split(".")
    if parts[1] not in ("nodes", "msg", "srv") and not parts[-1].startswith("dense_reloc_ros_s__"):
        importlib.import_module(module.name)
        count += 1
print(count)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.ros
def test_result_says_the_statuses_of_the_library() -> None:
    messages = pytest.importorskip("dense_reloc_ros.msg", reason="source install/setup.bash")
    for status in Status:
        assert getattr(messages.RelocResult, status.name) == status.value


@pytest.mark.ros
def test_tf_message_is_the_type_that_other_robots_know() -> None:
    """Type name and hash on the wire, against rosbags' own definition of ROS 2 Jazzy."""
    pytest.importorskip("tf2_msgs.msg", reason="not built: source install/setup.bash")
    from ament_index_python import get_package_share_directory

    described = Path(get_package_share_directory("tf2_msgs"), "msg", "TFMessage.json").read_text()
    expected = get_typestore(Stores.ROS2_JAZZY).hash_rihs01("tf2_msgs/msg/TFMessage")
    assert f'"{expected}"' in described
    assert '"type_name": "tf2_msgs/msg/TFMessage"' in described


def test_the_stand_ins_for_messages_of_others_stay_out_of_workspaces() -> None:
    """colcon and rosdep find one package here, even where they look into its folders."""
    assert (ROOT / "tools" / "COLCON_IGNORE").exists()
    found = {path.parent.name for path in ROOT.glob("tools/**/package.xml")}
    assert found == {
        *("tf2_msgs", "rtabmap_msgs", "autoware_internal_localization_msgs", "nav2_msgs"),
        "bond",
    }
