"""The risk-coverage diagram: how many wrong poses come with how many published ones."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.risk_coverage import auroc, risk_coverage
from dense_reloc_ros.evaluation.report.plots import ESTIMATE, GROUND_TRUTH, WRONG_COLOUR

RISK_COVERAGE_CAPTION = (
    "Share of wrong poses (more than 0.25 m or 10° off) among those published, if only the poses "
    "of the highest score or confidence were published, over the share of frames that get a pose. "
    "The dashed line is what was published."
)


def risk_coverage_figure(records: Sequence[FrameRecord]) -> Figure | None:
    """Curves by score and by confidence; None where no pose was found that has either."""
    curves = {
        name: (risk_coverage(records, attrgetter(name)), auroc(records, attrgetter(name)), colour)
        for name, colour in (("score", ESTIMATE), ("confidence", WRONG_COLOUR))
    }
    if all(curve is None for curve, _, _ in curves.values()):
        return None
    figure = Figure(figsize=(13, 5), layout="constrained")
    axes = figure.subplots()
    for name, (curve, area, colour) in curves.items():
        if curve is not None:
            label = name if area is None else f"{name}, AUROC {area:.3f}"
            axes.step(curve.coverage, curve.risk, where="post", color=colour, label=label)
    evaluated = [record for record in records if record.ground_truth is not None]
    published = sum(record.is_localized for record in evaluated) / len(evaluated)
    axes.axvline(published, color=GROUND_TRUTH, ls="--", lw=1, label="published")
    axes.set(xlim=(0, 1.01), xlabel="share of frames with a pose", ylabel="share of wrong poses")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    return figure
