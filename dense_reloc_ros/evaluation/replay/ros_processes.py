"""Starts ROS nodes as processes of their own, in a corner of the network of their own."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from dense_reloc_ros.errors import RelocError

PACKAGE = "dense_reloc_ros"
DOMAINS = range(1, 102)
"""Each ROS_DOMAIN_ID whose ports lie below those that Linux gives to anyone, but the usual 0."""
STOP_SECONDS = 10.0
SHOWN_LINES = 8
SMALLEST_SEGMENT = 8 * 1024 * 1024
"""Bytes of shared memory for each node; containers often have 64 MB for all."""
FAST_DDS_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>shared_memory</transport_id>
      <type>SHM</type>
      <segment_size>{segment}</segment_size>
      <maxMessageSize>{message}</maxMessageSize>
    </transport_descriptor>
    <transport_descriptor>
      <transport_id>udp</transport_id>
      <type>UDPv4</type>
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="replay" is_default_profile="true">
    <rtps>
      <userTransports>
        <transport_id>shared_memory</transport_id>
        <transport_id>udp</transport_id>
      </userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
    </rtps>
  </participant>
</profiles>
"""


def require_ros() -> None:
    """Raises RelocError, which says what to do, where the package was not built for ROS 2."""
    for module in ("rclpy", f"{PACKAGE}.msg"):
        if importlib.util.find_spec(module) is None:
            raise RelocError(
                f"this needs ROS 2, but there is no Python module '{module}': build the package "
                "(`make build`, or `colcon build` on a machine with ROS 2) and "
                "`source install/setup.bash`"
            )


def default_parameter_file() -> Path:
    """The parameter file that the launch file uses, `config/reloc.yaml`.

    Raises:
        RelocError: the package is not installed where AMENT_PREFIX_PATH says.
    """
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        path = Path(prefix) / "share" / PACKAGE / "config" / "reloc.yaml"
        if prefix and path.exists():
            return path
    raise RelocError(
        f"package {PACKAGE} is not found through AMENT_PREFIX_PATH: `source install/setup.bash`"
    )


def isolated_environment(folder: Path, largest_message: int) -> dict[str, str]:
    """The environment for nodes that only each other and this machine hear.

    Images go to best-effort subscribers, and the transports of Fast DDS lose most that are larger
    than 0.5 MB unless they are told to expect them: `largest_message`, in bytes. The profile that
    says so is written to `folder`, and is not used where the user has one.
    """
    profile = folder / "fastdds.xml"
    message = largest_message + 64 * 1024
    profile.write_text(
        FAST_DDS_PROFILE.format(message=message, segment=max(4 * message, SMALLEST_SEGMENT))
    )
    profiles = {
        "FASTDDS_DEFAULT_PROFILES_FILE": str(profile),
        # The name of the same before Fast DDS 3.
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
    }
    return {
        **({} if any(name in os.environ for name in profiles) else profiles),
        **os.environ,
        "ROS_DOMAIN_ID": str(_free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONUNBUFFERED": "1",
    }


def _free_domain() -> int:
    """A ROS_DOMAIN_ID that nobody on this machine uses, by the ports that DDS gives to it."""
    for domain in random.sample(DOMAINS, len(DOMAINS)):
        first_participant = 7400 + 250 * domain + 10
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", first_participant))
            except OSError:
                continue
            return domain
    raise RelocError("every ROS_DOMAIN_ID of this machine is in use")


class NodeProcess:
    """A Python module of this package that runs as a process and writes a log.

    It is ended when the context is left, whatever happens.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = environment
        self._log = log

    def __enter__(self) -> NodeProcess:
        # Its own session: Ctrl-C reaches this process alone, which then ends the node in order.
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def last_lines(self) -> str:
        """The end of its log, errors only where there are some."""
        lines = self._log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "ERROR" in line or "FATAL" in line or "Error" in line]
        return "\n".join((errors or lines)[-SHOWN_LINES:]) or "(it said nothing)"
