"""The report as one page that can be mailed: the numbers as tables, the plots inlined."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS, WRONG
from dense_reloc_ros.evaluation.metrics.ground_truth import coverage
from dense_reloc_ros.evaluation.report.failures import Failure
from dense_reloc_ros.evaluation.report.run_summary import Summary
from dense_reloc_ros.evaluation.report.space_view import SPACE_SCRIPT


@dataclass(frozen=True)
class Picture:
    """A plot of the page."""

    title: str
    caption: str
    png: bytes


TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Localization report: {{ summary.queries }}</title>
<style>
  :root { --ink: #1f2429; --muted: #667078; --line: #dfe3e6; --good: #009e73; --bad: #b2182b;
          --bar: #0072b2; }
  body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 60px; color: var(--ink);
         font: 15px/1.5 system-ui, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
  h1 { font-size: 26px; margin: 0 0 4px; }
  h2 { font-size: 18px; margin: 36px 0 10px; }
  p.about { color: var(--muted); margin: 0 0 20px; overflow-wrap: anywhere; }
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; }
  .card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
  .card b { display: block; font-size: 25px; font-weight: 600; white-space: nowrap; }
  .card span { color: var(--muted); font-size: 13px; }
  .good b { color: var(--good); } .bad b { color: var(--bad); }
  .tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr));
            gap: 0 44px; align-items: start; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 18px; }
  th, td { text-align: left; padding: 5px 8px; border-bottom: 1px solid var(--line); }
  th { color: var(--muted); font-weight: 500; font-size: 13px; }
  td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; width: 5.5em; }
  td.bar { width: 38%; } td.bar div { height: 11px; border-radius: 3px; background: var(--bar); }
  figure { margin: 0 0 8px; } figure img { width: 100%; height: auto; }
  .failure { border-top: 1px solid var(--line); padding: 10px 0; }
  .failure figure { display: inline-block; } .failure img { width: auto; }
  #space { width: 100%; height: 520px; border: 1px solid var(--line); border-radius: 8px;
           cursor: grab; touch-action: none; }
  #space-frame { width: 100%; } #space-text { margin: 0 0 8px; min-height: 1.5em; }
  figcaption { color: var(--muted); font-size: 13px; }
</style>
</head>
<body>
<h1>Localization report</h1>
<p class="about">{{ summary.queries }} against map {{ summary.map }}
(revision {{ summary.map_revision }}) · method {{ summary.method }} on {{ summary.device }}
· {{ summary.mode }}</p>

<div class="cards">
  <div class="card"><b>{{ summary.localized }} / {{ summary.frames }}</b>
    <span>frames localized</span></div>
  {% if summary.evaluated %}
  <div class="card {{ 'bad' if summary.wrong else 'good' }}"><b>{{ summary.wrong }}</b>
    <span>wrong poses published (over {{ wrong.translation_m }} m
    or {{ wrong.rotation_deg|int }}°)</span></div>
  <div class="card"><b>{{ (summary.recall["5cm_5deg"] * 100)|round(1) }} %</b>
    <span>of all frames within 5 cm and 5°</span></div>
  <div class="card"><b>{{ summary.median_translation_m|centimetres }}</b>
    <span>median position error</span></div>
  <div class="card"><b>{{ summary.median_rotation_deg|degrees }}</b>
    <span>median rotation error</span></div>
  {% endif %}
  <div class="card"><b>{{ summary.latency_ms.median|milliseconds }} ms</b>
    <span>median latency (95% below {{ summary.latency_ms.p95|milliseconds }} ms)</span></div>
</div>

<div class="tables">
{% if summary.evaluated %}
<section>
<h2>Accuracy</h2>
<p>{{ coverage(summary.evaluated, summary.frames) }}</p>
{% if summary.truth_looks_like %}
<p>Hardly any pose agrees with it: it looks as if it {{ summary.truth_looks_like }}.</p>
{% endif %}
<table>
  <tr><th>of all {{ summary.evaluated }} frames with a ground truth, within</th>
    <th></th><th class="number">share</th></tr>
  {% for name, threshold in thresholds.items() %}
  <tr><td>{{ threshold.translation_m|length }}, {{ threshold.rotation_deg|int }}°</td>
    <td class="bar"><div style="width: {{ summary.recall[name] * 100 }}%"></div></td>
    <td class="number">{{ "%.1f"|format(summary.recall[name] * 100) }} %</td></tr>
  {% endfor %}
</table>
<table>
  <tr><th>over the localized frames</th><th class="number">median</th>
    <th class="number">mean</th></tr>
  <tr><td>position error</td>
    <td class="number">{{ summary.median_translation_m|centimetres }}</td>
    <td class="number">{{ summary.mean_translation_m|centimetres }}</td></tr>
  <tr><td>rotation error</td>
    <td class="number">{{ summary.median_rotation_deg|degrees }}</td>
    <td class="number">{{ summary.mean_rotation_deg|degrees }}</td></tr>
  {% if summary.nees_over_6_median is not none %}
  <tr><td title="squared error in units of the published covariance, divided by 6">
    normalized error (about 1 if the covariance is right)</td>
    <td class="number">{{ "%.2f"|format(summary.nees_over_6_median) }}</td><td></td></tr>
  {% if summary.nees %}
  <tr><td>… within its 95% bounds ({{ summary.nees.frames }} poses; 95 % if it is right)</td>
    <td class="number">{{ "%.1f"|format(summary.nees.within_95 * 100) }} %</td><td></td></tr>
  {% endif %}
  {% endif %}
  {% if summary.calibration is not none %}
  <tr><td title="mean difference of the confidence and the share of frames within 0.25 m and 10°">
    expected calibration error of the confidence, frames without a published pose included</td>
    <td></td>
    <td class="number">{{ "%.3f"|format(summary.calibration.expected_calibration_error) }}</td></tr>
  {% endif %}
</table>
</section>
{% endif %}
{% if summary.map_to_odom %}
<section>
<h2>Map to odometry</h2>
<table>
  <tr><th>transform over {{ summary.map_to_odom.frames }} frames from the first pose on</th>
    <th class="number">median</th><th class="number">worst</th>
    <th class="number">odometry alone</th></tr>
  <tr><td>position error</td>
    <td class="number">{{ summary.map_to_odom.median_translation_m|centimetres }}</td>
    <td class="number">{{ summary.map_to_odom.worst_translation_m|centimetres }}</td>
    <td class="number">{{ summary.map_to_odom.drift_translation_m|centimetres }}</td></tr>
  <tr><td>rotation error</td>
    <td class="number">{{ summary.map_to_odom.median_rotation_deg|degrees }}</td>
    <td class="number">{{ summary.map_to_odom.worst_rotation_deg|degrees }}</td>
    <td class="number">{{ summary.map_to_odom.drift_rotation_deg|degrees }}</td></tr>
</table>
</section>
{% endif %}
{% if summary.scene_coordinates %}
<section>
<h2>Scene coordinates</h2>
<table>
  <tr><th>of {{ summary.scene_coordinates.cells }} cells with a known depth, within</th>
    <th></th><th class="number">share</th></tr>
  {% for limit, share in summary.scene_coordinates.within.items() %}
  <tr><td>{{ limit|replace("cm", " cm") }}</td>
    <td class="bar"><div style="width: {{ share * 100 }}%"></div></td>
    <td class="number">{{ "%.1f"|format(share * 100) }} %</td></tr>
  {% endfor %}
  <tr><td>median error</td><td></td>
    <td class="number">{{ summary.scene_coordinates.median_m|centimetres }}</td></tr>
</table>
</section>
{% endif %}
{% if summary.latency_ms.per_stage %}
<section>
<h2>Latency</h2>
<table>
  <tr><th>stage</th><th></th><th class="number">median ms</th><th class="number">95% below</th></tr>
  {% for stage, duration in summary.latency_ms.per_stage.items() %}
  <tr><td>{{ stage }}</td>
    <td class="bar"><div style="width: {{ duration.median / slowest * 100 }}%"></div></td>
    <td class="number">{{ duration.median|milliseconds }}</td>
    <td class="number">{{ duration.p95|milliseconds }}</td></tr>
  {% endfor %}
  <tr><td>whole frame</td><td></td>
    <td class="number">{{ summary.latency_ms.median|milliseconds }}</td>
    <td class="number">{{ summary.latency_ms.p95|milliseconds }}</td></tr>
</table>
</section>
{% endif %}
{% if summary.rejected %}
<section>
<h2>Frames without a pose</h2>
<table>
  <tr><th>reason</th><th class="number">frames</th></tr>
  {% for reason, count in summary.rejected.items() %}
  <tr><td>{{ reason }}</td><td class="number">{{ count }}</td></tr>
  {% endfor %}
</table>
</section>
{% endif %}
</div>

{% if scene %}
<h2>Trajectory in space</h2>
<canvas id="space"></canvas>
<input id="space-frame" type="range" min="0" value="0" aria-label="frame">
<p id="space-text"></p>
<p class="about">Drag to turn, scroll to zoom, move the slider from frame to frame: true poses
(dark),
published ones (blue), wrong ones (red), withheld ones (orange), keyframes and points of the map
(grey).</p>
<script type="application/json" id="space-scene">{{ scene }}</script>
<script>{{ script }}</script>
{% endif %}
{% for picture in pictures %}
<h2>{{ picture.title }}</h2>
<figure><img alt="{{ picture.title }}" src="data:image/png;base64,{{ picture.png|base64 }}">
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
{% if failures %}
<h2>What would help</h2>
<p class="about">Every frame without a pose or with a wrong one: {{ failures|count }} of
{{ summary.frames }}.</p>
{% endif %}
{% for failure in failures %}
<div class="failure">
  <b>{{ failure.name }}</b>: {{ failure.outcome }}
  {%- if failure.nearest %} · nearest keyframe {{ failure.nearest }}{% endif %}<br>
  {{ failure.advice|join(" ") }}<br>
  {% for label, jpeg in failure.pictures.items() %}
  <figure><img alt="{{ label }}" src="data:image/jpeg;base64,{{ jpeg|base64 }}">
  <figcaption>{{ label }}</figcaption></figure>
  {% endfor %}
</div>
{% endfor %}
</body>
</html>
"""


def render_html(
    summary: Summary,
    pictures: Sequence[Picture],
    failures: Sequence[Failure] = (),
    scene: str | None = None,
) -> str:
    """The page for one run; `scene` is what `space_scene` gives."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "centimetres": lambda metres: _number(metres, 100, 2, " cm"),
        "degrees": lambda degrees: _number(degrees, 1, 2, "°"),
        "milliseconds": lambda value: _number(value, 1, 1 if value and value < 100 else 0, ""),
        "length": lambda metres: f"{100 * metres:g} cm" if metres < 1 else f"{metres:g} m",
        "base64": lambda content: base64.b64encode(content).decode("ascii"),
    }
    stages = summary.latency_ms.per_stage.values()
    return environment.from_string(TEMPLATE).render(
        summary=summary,
        thresholds=RECALL_THRESHOLDS,
        coverage=coverage,
        wrong=WRONG,
        slowest=max((stage.median for stage in stages), default=0.0) or 1.0,
        pictures=pictures,
        failures=failures,
        scene=None if scene is None else Markup(scene),
        script=Markup(SPACE_SCRIPT),
    )


def _number(value: float | None, factor: float, digits: int, unit: str) -> str:
    return "–" if value is None else f"{value * factor:.{digits}f}{unit}"
