"""`dense-reloc bench`: compares methods on one's own data and machine."""

from __future__ import annotations

import argparse

from dense_reloc_ros.cli.bench import (
    accuracy_commands,
    basin_command,
    dsm_command,
    estimators_command,
    hallucination_command,
    input_command,
    loop_closure_command,
    matching_command,
    operations_command,
    papers_command,
    poor_maps_command,
    rigs_command,
    scale_command,
    scenes_command,
    speed_command,
    video_command,
)

COMMANDS = (
    accuracy_commands,
    video_command,
    rigs_command,
    scenes_command,
    papers_command,
    matching_command,
    speed_command,
    scale_command,
    input_command,
    operations_command,
    estimators_command,
    basin_command,
    dsm_command,
    poor_maps_command,
    loop_closure_command,
    hallucination_command,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench` command."""
    parser = subparsers.add_parser(
        "bench", help="compare methods: hard light, videos, poses, scenes, matches, speed"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(commands)
