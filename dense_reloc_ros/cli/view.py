"""`dense-reloc view`: a map or a report in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `view` command."""
    parser = subparsers.add_parser(
        "view",
        help="look at a map or a report in the browser",
        description="Serves a view of a map (points, keyframes) or of the report of localize or "
        "replay (also true and found poses, frame by frame) until Ctrl-C. Needs viser: pip install "
        "viser.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="MAP|REPORT", help="folder of the map or of the report")
    add("--map", type=Path, metavar="MAP", help="the report's map, where it has moved")
    add(
        "--host",
        default="127.0.0.1",
        help="address to serve at (default: %(default)s, seen on this computer only; 0.0.0.0: seen "
        "by all that reach it)",
    )
    add("--port", type=int, default=8080, help="the first to try (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `view`."""
    from dense_reloc_ros.evaluation.report.frame_results import read_frame_outcomes
    from dense_reloc_ros.scene.reader import load_map
    from dense_reloc_ros.viewing.browser import Browser
    from dense_reloc_ros.viewing.views import (
        MapView,
        ReportView,
        is_report,
        map_of_report,
        warn_of_another_map,
    )

    folder: Path = arguments.folder
    outcomes = None
    if is_report(folder):
        outcomes = read_frame_outcomes(folder)
        map_path, revision = map_of_report(folder)
        scene_map = load_map(arguments.map or map_path)
        warn_of_another_map(scene_map, revision)
    else:
        scene_map = load_map(folder)
    browser = Browser(arguments.host, arguments.port, f"dense-reloc: {folder.name}")
    try:
        if outcomes is None:
            MapView(browser, scene_map)
        else:
            ReportView(browser, scene_map, outcomes)
        print(f"{browser.address} (Ctrl-C ends it)", flush=True)
        browser.serve()
    finally:
        browser.close()
    return 0
