"""What `ros2 launch` does, as a command for tests: `launch` is used without its command line."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription

arguments = [argument.split(":=") for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(sys.argv[1], launch_arguments=arguments)])
)
sys.exit(service.run())
"""


def launch_command(file: Path, *arguments: str) -> list[str]:
    """Starts a launch file with arguments like `map:=/maps/office`; ends as it does."""
    return [sys.executable, "-c", PROGRAM, str(file), *arguments]
