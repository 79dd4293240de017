"""`dense-reloc demo`: the whole way from images to a report, on data that is made on the spot."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.geometry.arrays import FloatArray

if TYPE_CHECKING:
    from rich.console import Console


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `demo` command."""
    parser = subparsers.add_parser(
        "demo",
        help="see it work, on a room that is rendered on the spot",
        description="Renders a furnished room, builds a map of it, records a video bag of another "
        "walk through it in other light, with odometry that drifts, runs the ROS 2 nodes on the "
        "bag, which fuse its frames over time, and reports how well they localized it. Takes two "
        "to three minutes.",
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder for all")
    add("--seed", type=int, default=0, help="which room and which walks (default 0)")
    add("--frames", type=_positive, default=100, metavar="N", help="length of the video (100)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `demo`: records, then does what a user would do with a recording, by his commands."""
    from rich.console import Console

    from dense_reloc_ros.rendering.demonstration import (
        DemonstrationFolder,
        DemonstrationPlace,
        draw_picture,
        record_walks,
    )

    console = Console(soft_wrap=True, highlight=False)
    folder = DemonstrationFolder(arguments.output)
    folder.clear()
    console.rule("Recording a room: a walk that maps it, and a video in other light")
    with console.status("furnishing and lighting the room"):
        place = DemonstrationPlace.furnish(arguments.seed)
    record_walks(folder, place, arguments.frames, _progress)

    console.rule("Building the map")
    source = ("--seven-scenes", folder.mapping, "--camera-info", folder.camera_info)
    _run(console, "map", "build", *source, "--output", folder.map)

    problem = _why_no_ros()
    if problem is None:
        console.rule("Localizing the video with the ROS 2 nodes")
        command: tuple[str, ...] = ("replay", "--lockstep", "--fusion")
    else:
        console.rule("Localizing the video without ROS")
        console.print(f"The nodes are left out: {problem}.", markup=False)
        console.print("The same localizer runs without them.")
        command = ("localize", "--fusion")
    data = ("--map", folder.map, "--bag", folder.bag)
    _run(console, *command, *data, "--output", folder.report)
    with console.status("drawing the picture"):
        draw_picture(folder, place)
    console.print(f"picture: {folder.picture}")
    return 0


def _run(console: Console, *words: str | Path) -> None:
    """Shows and runs a command of `dense-reloc`; what goes wrong in it is raised."""
    from dense_reloc_ros.cli.main import parser

    texts = [str(word) for word in words]
    console.print(f"$ dense-reloc {shlex.join(texts)}", style="bold", markup=False)
    arguments = parser().parse_args(texts)
    arguments.run(arguments)


def _why_no_ros() -> str | None:
    """Why the nodes cannot be started, None where they can."""
    from dense_reloc_ros.evaluation.replay.ros_processes import require_ros

    try:
        require_ros()
    except RelocError as error:
        return str(error)
    return None


def _progress(poses: FloatArray, label: str) -> Iterable[FloatArray]:
    from dense_reloc_ros.progress import show_progress

    return show_progress(poses, label)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number
