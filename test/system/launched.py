"""The nodes as a user starts them: by the launch file, or as it does where `launch` is missing."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from launching import launch_command

ROOT = Path(__file__).parents[2]
IMAGE, CAMERA_INFO = "/camera/image_raw", "/camera/camera_info"
PARAMETERS = {
    # An image may be waited for, however busy the machine is.
    "relocalizer": {
        "max_rate": 0.0,  # each is answered
        "transform_timeout": 10.0,
        "max_frame_seconds": 0.0,
        f"qos_overrides.{IMAGE}.subscription.reliability": "reliable",
    },
    "temporal_fusion": {"transform_timeout": 10.0},
}
"""What differs from config/reloc.yaml."""
STOP_SECONDS = 60.0


@contextmanager
def launched(scene_map: Path, folder: Path) -> Iterator[Callable[[], None]]:
    """relocalizer_with_fusion on a map, until the context is left; its log goes to `folder`.

    Gives what raises, with the log, where the nodes have ended.
    """
    parameters = folder / "parameters.yaml"
    parameters.write_text(yaml.safe_dump(_parameters()))
    log = folder / "nodes.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(scene_map, parameters),
            env=os.environ | {"ROS_LOG_DIR": str(folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def check() -> None:
        assert process.poll() is None, log.read_text()

    try:
        yield check
        # As a terminal does; ros2 launch sends it on a second time.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(STOP_SECONDS) == 0, log.read_text()
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _parameters() -> dict[str, dict[str, dict[str, object]]]:
    given = yaml.safe_load((ROOT / "config" / "reloc.yaml").read_text())
    for node, values in PARAMETERS.items():
        given[f"/**/{node}"]["ros__parameters"] |= values
    return dict(given)


def _command(scene_map: Path, parameters: Path) -> list[str]:
    given = [f"map:={scene_map}", "use_sim_time:=true"]
    if importlib.util.find_spec("launch_ros") is not None:
        launch_file = ROOT / "launch" / "reloc.launch.py"
        arguments = [f"params_file:={parameters}", f"image:={IMAGE}", f"camera_info:={CAMERA_INFO}"]
        return launch_command(launch_file, *given, *arguments)
    command = [sys.executable, "-m", "dense_reloc_ros.nodes.relocalizer_with_fusion", "--ros-args"]
    command += ["--params-file", str(parameters)]
    for parameter in (*given, "autostart:=true"):
        command += ["-p", parameter]
    return [*command, "-r", f"image:={IMAGE}", "-r", f"camera_info:={CAMERA_INFO}"]
