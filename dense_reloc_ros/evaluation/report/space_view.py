"""The trajectory in space, to be turned with the mouse: the report's own small script, no library.

A library for this would be larger than all the rest of a report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.plots import vertical_axis
from dense_reloc_ros.geometry.arrays import FloatArray

MOST_POINTS = 4000
"""More points of the map would make the page slow and large, and show little more."""
DIGITS = 3
"""Millimetres; directions to 0.06 degrees."""


def space_scene(
    records: Sequence[FrameRecord],
    keyframe_poses: FloatArray | None = None,
    points: FloatArray | None = None,
) -> str | None:
    """What the script draws, as JSON that may stand in HTML; None where there is no pose.

    `keyframe_poses` (K, 4, 4) and `points` (P, 3) are the map's; of many points some are taken.
    """
    poses = [p for r in records for p in (r.found_pose, r.ground_truth) if p is not None]
    if not poses:
        return None
    if points is not None and len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]
    axis, sign = vertical_axis(np.array(poses))
    scene = {
        "up": [axis, sign],
        "points": [] if points is None else _numbers(points),
        "keyframes": [] if keyframe_poses is None else [_numbers(p[:3]) for p in keyframe_poses],
        "frames": [_frame(record) for record in records],
    }
    return json.dumps(scene, separators=(",", ":")).replace("<", "\\u003c")


def _frame(record: FrameRecord) -> dict[str, object]:
    """One frame: its poses as (3, 4) matrices row by row, `kind` of the found one, and a text."""
    error, found, truth = record.found_error, record.found_pose, record.ground_truth
    kind = "withheld"
    if record.is_localized:
        kind = "wrong" if error is not None and not WRONG.holds(error) else "published"
    text = [record.name, kind if found is not None else "no pose"]
    if error is not None:
        text.append(f"{100 * error.translation:.1f} cm, {np.degrees(error.rotation):.2f}° off")
    if record.reason:
        text.append(record.reason)
    return {
        "text": " · ".join(text),
        "kind": kind,
        "found": None if found is None else _numbers(found[:3]),
        "truth": None if truth is None else _numbers(truth[:3]),
    }


def _numbers(values: FloatArray) -> list[float]:
    return [round(float(value), DIGITS) for value in np.asarray(values).ravel()]


SPACE_SCRIPT = """
(() => {
  const scene = JSON.parse(document.getElementById("space-scene").textContent);
  const canvas = document.getElementById("space"), pen = canvas.getContext("2d");
  const slider = document.getElementById("space-frame");
  const said = document.getElementById("space-text");
  const colours = {truth: "#404040", published: "#0072b2", wrong: "#b2182b", withheld: "#e69f00",
                   keyframe: "#909090", point: "#b8c0c6"};
  const [up, sign] = scene.up, across = (up + 1) % 3, along = (up + 2) % 3;
  const position = pose => [pose[3], pose[7], pose[11]];
  const poses = scene.frames.flatMap(f => [f.truth, f.found]).concat(scene.keyframes)
    .filter(pose => pose).map(position);
  const middle = [0, 1, 2].map(i => {
    const sorted = poses.map(p => p[i]).sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  });
  const distances = poses.map(p => Math.hypot(...p.map((v, i) => v - middle[i])));
  const size = Math.max(distances.sort((a, b) => a - b)[Math.floor(0.95 * distances.length)], 0.05);
  let yaw = 0.6, pitch = 0.5, zoom = 1, width = 0, height = 0;

  function project(point) {
    const x = point[across] - middle[across], z = sign * (point[up] - middle[up]);
    const y = sign * (point[along] - middle[along]);
    const right = x * Math.cos(yaw) + y * Math.sin(yaw);
    const far = y * Math.cos(yaw) - x * Math.sin(yaw);
    const scale = 0.36 * zoom * Math.min(width, height) / size;
    const high = z * Math.cos(pitch) + far * Math.sin(pitch);
    return [width / 2 + scale * right, height / 2 - scale * high];
  }
  function line(points, colour, thickness) {
    pen.strokeStyle = colour; pen.lineWidth = thickness; pen.beginPath();
    points.map(project).forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
    pen.stroke();
  }
  function dot(point, colour, radius) {
    const [x, y] = project(point);
    pen.fillStyle = colour;
    pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
  function frustum(pose, colour, length, thickness) {
    const corner = (u, v) => [0, 1, 2].map(i => pose[4 * i + 3] +
      length * (0.55 * u * pose[4 * i] + 0.41 * v * pose[4 * i + 1] + pose[4 * i + 2]));
    const corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
    line([...corners, corners[0]], colour, thickness);
    corners.forEach(c => line([position(pose), c], colour, thickness));
  }
  function draw() {
    const ratio = window.devicePixelRatio || 1;
    width = canvas.clientWidth; height = canvas.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    pen.scale(ratio, ratio);
    for (let i = 0; i < scene.points.length; i += 3)
      dot(scene.points.slice(i, i + 3), colours.point, 0.75);
    scene.keyframes.forEach(pose => frustum(pose, colours.keyframe, 0.05 * size, 0.5));
    let last = null;
    for (const frame of scene.frames) {
      const here = frame.truth && position(frame.truth);
      if (here && last) line([last, here], colours.truth, 1);
      last = here || last;
      if (!frame.found) continue;
      if (here) line([here, position(frame.found)], colours[frame.kind], 1);
      dot(position(frame.found), colours[frame.kind], 2);
    }
    const chosen = scene.frames[slider.value];
    if (chosen.truth) frustum(chosen.truth, colours.truth, 0.16 * size, 2);
    if (chosen.found) frustum(chosen.found, colours[chosen.kind], 0.16 * size, 2);
    said.textContent = chosen.text;
  }
  let held = null;
  canvas.addEventListener("pointerdown", event => {
    held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    if (!held) return;
    yaw += (event.clientX - held[0]) / 150;
    pitch = Math.max(-1.57, Math.min(1.57, pitch + (event.clientY - held[1]) / 150));
    held = [event.clientX, event.clientY];
    draw();
  });
  canvas.addEventListener("wheel", event => {
    event.preventDefault(); zoom *= Math.exp(-event.deltaY / 600); draw();
  }, {passive: false});
  slider.addEventListener("input", draw);
  window.addEventListener("resize", draw);
  slider.max = scene.frames.length - 1;
  draw();
})();
"""
