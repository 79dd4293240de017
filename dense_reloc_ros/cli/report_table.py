"""Shows the summary of an evaluation on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from dense_reloc_ros.evaluation.metrics.ground_truth import coverage
from dense_reloc_ros.evaluation.report.run_summary import Summary


def print_report(summary: Summary, folder: Path) -> None:
    """Prints the numbers of a run as a table, and where the report lies."""
    title = f"{summary.queries} by {summary.method} on {summary.device}"
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("frames localized", f"{summary.localized} of {summary.frames}")
    if summary.recall is not None:
        if summary.evaluated < summary.frames:
            table.add_row("judged by", coverage(summary.evaluated, summary.frames))
        table.add_row("wrong poses published", str(summary.wrong))
        for name in ("5cm_5deg", "2cm_2deg"):
            centimetres, degrees = name.removesuffix("deg").split("cm_")
            share = f"{100 * summary.recall[name]:.1f} %"
            table.add_row(f"within {centimetres} cm and {degrees}°", share)
    if summary.median_translation_m is not None and summary.median_rotation_deg is not None:
        table.add_row(
            "median error",
            f"{100 * summary.median_translation_m:.2f} cm, {summary.median_rotation_deg:.2f}°",
        )
    if summary.map_to_odom is not None:
        transform = summary.map_to_odom
        worst = f"{100 * transform.worst_translation_m:.2f} cm, {transform.worst_rotation_deg:.2f}°"
        table.add_row("map → odom, largest error", worst)
        table.add_row(
            "… within 5 cm and 1°", f"{100 * transform.within:.1f} % of {transform.frames}"
        )
        drift = f"{100 * transform.drift_translation_m:.2f} cm, {transform.drift_rotation_deg:.2f}°"
        table.add_row("drift of the odometry alone", drift)
    if summary.scene_coordinates is not None:
        median = 100 * summary.scene_coordinates.median_m
        table.add_row("median scene coordinate error", f"{median:.2f} cm")
        near = 100 * summary.scene_coordinates.within["10cm"]
        table.add_row("cells within 10 cm", f"{near:.1f} %")
    if summary.latency_ms.median is not None:
        table.add_row(
            "latency, median and 95%",
            f"{summary.latency_ms.median:.0f} ms, {summary.latency_ms.p95:.0f} ms",
        )
    console = Console()
    console.print(table)
    if summary.truth_looks_like is not None:
        warning = f"the ground truth looks as if it {summary.truth_looks_like}"
        console.print(f"hardly any pose agrees with it: {warning}", markup=False)
    for reason, count in summary.rejected.items():
        console.print(f"without a pose: {count} × {reason}", markup=False)
    console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)
