"""`dense-reloc map`: builds maps, says what is in them, and exports them."""

from __future__ import annotations

import argparse

from dense_reloc_ros.cli import map_build, map_export, map_info


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map` command."""
    parser = subparsers.add_parser("map", help="build a map, or see what is in one")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    map_build.register(commands)
    map_info.register(commands)
    map_export.register(commands)
