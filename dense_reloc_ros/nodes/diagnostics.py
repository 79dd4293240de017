"""What /diagnostics says about a node."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.belief import Standing


def diagnostic_status(
    name: str, state: str, problem: str, pipeline: Pipeline[Any] | None
) -> DiagnosticStatus:
    """The entry of a node in a lifecycle state; `pipeline` None where it is not configured.

    `problem`: what keeps the node itself from working, empty when nothing does.
    """
    values = {"state": state}
    complaint, output, last, revision = "", "", None, ""
    if pipeline is not None:
        identity = pipeline.identity
        revision = identity.revision
        complaint, output = pipeline.complaint, pipeline.output_problem
        last = pipeline.statistics.last
        values |= {"map revision": revision, "method": identity.method}
        values |= standing_values(pipeline.standing)
        counts = pipeline.counts | pipeline.output_counts
        values |= {key: str(count) for key, count in counts.items()}
        values |= pipeline.statistics.values()
    level, message = judge(state, problem, complaint, last, output)
    return DiagnosticStatus(
        name=name,
        hardware_id=revision,
        level=level,
        message=message,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def standing_values(standing: Standing) -> dict[str, str]:
    """Whether the robot knows where it is, since when and why not."""
    return {
        "localization state": standing.state.name,
        "localization state since": f"{standing.since / NANOSECONDS:.3f}",
        "localization state reason": standing.reason,
    }


def judge(
    state: str, problem: str, complaint: str, last: Localization | None, output: str = ""
) -> tuple[bytes, str]:
    """Level and summary, from what weighs most."""
    if problem:
        return DiagnosticStatus.ERROR, problem
    if state != "active":
        return DiagnosticStatus.OK, state
    if complaint:
        return DiagnosticStatus.WARN, complaint
    if last is None:
        first = "waiting for the first image"
        return (DiagnosticStatus.WARN, output) if output else (DiagnosticStatus.OK, first)
    if last.status in (Status.INVALID_INPUT, Status.FAILED):
        return DiagnosticStatus.ERROR, last.reason
    if not last.is_localized:
        return DiagnosticStatus.WARN, f"not localized: {last.reason}"
    if output:  # what is found out helps nobody while it does not leave the node
        return DiagnosticStatus.WARN, f"localized, but {output}"
    return DiagnosticStatus.OK, "localized"
