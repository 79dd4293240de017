"""`dense-reloc map info`: what is in a map."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dense_reloc_ros.scene.summary import MapSummary


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the `map info` command."""
    parser = subparsers.add_parser(
        "info",
        help="what is in a map, and whether it is whole",
        description="Counts what is in a map after checking all of it.",
    )
    parser.add_argument("map", type=Path, metavar="MAP", help="folder of the map")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs `map info`."""
    from dense_reloc_ros.scene.summary import summarize_map

    summary = summarize_map(arguments.map)
    print(summary.model_dump_json(indent=2) if arguments.json else table(summary))
    return 0


def table(summary: MapSummary) -> str:
    """The summary as lines of a name and what it is."""
    signature, calibration = summary.signature, summary.calibration
    low, high = summary.bounding_box
    sides = (f"{axis} {a:.2f} … {b:.2f} m" for axis, a, b in zip("xyz", low, high, strict=True))
    levels = (
        f"{name} (stride {level.stride}, {level.channels} channels)"
        for name, level in signature.levels.items()
    )
    temperatures = (f"{name} {value:.4g}" for name, value in calibration.temperatures.items())
    threshold = calibration.score_threshold
    size = f"{summary.size_mb:.1f} MB, {summary.size_mb_per_keyframe:.2f} MB per keyframe"
    images = f", {summary.images_mb:.1f} MB of images" if summary.images_mb else ""
    coordinates = "none"
    if grid := summary.coordinates:
        coordinates = f"{grid.columns}x{grid.rows} a keyframe, {100 * grid.known:.0f} % known"
        images += f", {grid.size_mb:.1f} MB of coordinates"
    rows = {
        "map": f"{summary.path} (format {summary.format_version}, whole and unchanged)",
        "revision": f"{summary.revision}, made {summary.created}",
        "source": summary.source or "unknown",
        "frame": summary.frame_id,
        "keyframes": f"{summary.keyframes}",
        "left out": _left_out(summary),
        "points": f"{summary.points}, each seen in {summary.observations_per_point:.2f} keyframes",
        "bounding box": ", ".join(sides),
        "features": f"{signature.network} for {signature.method}, "
        f"weights {signature.weights_sha256[:12] or 'none'}",
        "levels": ", ".join(levels),
        "temperatures": ", ".join(temperatures) or "not fitted",
        "threshold": "not fitted" if threshold is None else f"score {threshold:.3f}",
        "confidence": f"logit {calibration.confidence_offset:+.2f}",
        "covariance": f"factor {calibration.covariance_factor:.3g}",
        "verdict": _verdict(summary),
        "coordinates": coordinates,
        "size": size + images,
    }
    return "\n".join(f"{name:14}{value}" for name, value in rows.items())


def _left_out(summary: MapSummary) -> str:
    total = summary.keyframes + sum(summary.left_out.values())
    parts = (f"{count} of {total}: {reason}" for reason, count in summary.left_out.items())
    return "; ".join(parts) or "no frame of the recording is known to be"


def _verdict(summary: MapSummary) -> str:
    verdict = summary.verdict
    if verdict is None:
        return "not judged, the map was built by an older version"
    depth = verdict.depth_factor
    scale = f"; depth {depth:.3f} times what the poses say" if depth is not None else ""
    calibration = summary.calibration
    views = calibration.held_out_views
    right = f"; {calibration.held_out_right} of {views} held-out views come out right"
    accepted = ", made by --accept-inconsistent" if verdict.state == "inconsistent" else ""
    return f"{verdict.state}{accepted}: {verdict.reason}{scale}{right if views else ''}"
