"""`dense-reloc bench input`: what comes before the localizer in a node."""

from __future__ import annotations

import argparse
from pathlib import Path

from dense_reloc_ros.cli.bench.options import positive


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `bench input` command."""
    parser = subparsers.add_parser(
        "input",
        help="time from a camera's image to the localizer",
        description="Times what a node does with an image before it is localized: the conversion "
        "from each encoding, the undistortion, and the look-up in TF. Writes input.json.",
    )
    parser.add_argument(
        "--size",
        type=positive,
        nargs=2,
        default=[640, 480],
        metavar=("W", "H"),
        help="of the image in pixels (default: 640 480)",
    )
    parser.add_argument(
        "--runs", type=positive, default=200, metavar="N", help="of each step (default: 200)"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the numbers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `bench input`."""
    import cv2
    import numpy as np

    from dense_reloc_ros.cli.bench.result_table import JsonFile, print_results
    from dense_reloc_ros.nodes.input_time import input_times

    file = JsonFile(arguments.output, "input.json")
    width, height = (2 * (side // 2) for side in arguments.size)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), dtype=np.uint8)
    results = list(input_times(image, arguments.runs))
    columns = {
        "step": lambda result: result.step,
        "median": lambda result: f"{result.median_ms:.2f} ms",
        "95%": lambda result: f"{result.p95_ms:.2f} ms",
    }
    title = f"{width}x{height}, time of one thread"
    print_results(results, columns, title, lambda result: result.step.split()[0], 1)
    file.write(results)
    return 0
