"""`dense-reloc bench`: compares methods on one's own data and machine."""

from __future__ import annotations

import argparse

from dense_reloc_ros.cli.bench import (
    dsm,
    matching,
    poses,
    robustness,
    scenes,
    speed,
    table,
    video,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench` command."""
    parser = subparsers.add_parser(
        "bench", help="compare methods: hard light, videos, poses, scenes, matches, speed"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    robustness.register(commands)
    video.register(commands)
    poses.register(commands)
    scenes.register(commands)
    matching.register(commands)
    speed.register(commands)
    table.register(commands)
    dsm.register(commands)
