"""`dense-reloc bench`: compares methods on one's own data and machine."""

from __future__ import annotations

import argparse

from dense_reloc_ros.cli import (
    bench_dsm,
    bench_matching,
    bench_poses,
    bench_robustness,
    bench_scenes,
    bench_speed,
    bench_table,
    bench_video,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench` command."""
    parser = subparsers.add_parser(
        "bench", help="compare methods: hard light, videos, poses, scenes, matches, speed"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    bench_robustness.register(commands)
    bench_video.register(commands)
    bench_poses.register(commands)
    bench_scenes.register(commands)
    bench_matching.register(commands)
    bench_speed.register(commands)
    bench_table.register(commands)
    bench_dsm.register(commands)
