"""`dense-reloc map`: builds, describes, exports and chooses maps."""

from __future__ import annotations

import argparse

from dense_reloc_ros.cli import map_build, map_choose, map_export, map_info


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map` command."""
    parser = subparsers.add_parser("map", help="build a map, see what is in one, or choose one")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    map_build.register(commands)
    map_info.register(commands)
    map_export.register(commands)
    map_choose.register(commands)
