"""`dense-reloc map export`: a map in formats of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map export` command."""
    parser = subparsers.add_parser(
        "export",
        help="write the points of a map for other programs",
        description="Writes the points of a map with their colours (grey in maps of "
        "0.1.0 without images) and how many keyframes see each.",
    )
    parser.add_argument("map", type=Path, metavar="MAP", help="folder of the map")
    parser.add_argument("--ply", type=Path, required=True, metavar="FILE", help="file to write")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `map export`."""
    from dense_reloc_ros.scene.ply import write_ply
    from dense_reloc_ros.scene.reader import load_map

    points = write_ply(arguments.ply, load_map(arguments.map))
    print(f"{arguments.ply}: {points} points")
    return 0
