from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.evaluation.report.report_folder import write_report
from dense_reloc_ros.evaluation.report.run_summary import RunInformation
from dense_reloc_ros.evaluation.report.space_view import MOST_POINTS, space_scene
from tools.screenshot import browser_path, open_page

RUN = RunInformation("nre", "cpu", "0123456789abcdef", "map", "queries", "localize")


@pytest.fixture
def records(make_record):
    right, wrong, lost = make_record(0, 0.01, 0.5), make_record(1, 0.5), make_record(2, 0.1)
    withheld = replace(
        lost, T_map_camera=None, rejected_pose=lost.T_map_camera, reason="</script> unsure"
    )
    return [right, wrong, withheld, make_record(3, localized=False)]


def test_the_scene_has_all_poses_and_what_became_of_them(records):
    scene = json.loads(space_scene(records) or "")
    assert [f["kind"] for f in scene["frames"]] == ["published", "wrong", "withheld", "withheld"]
    for frame, record in zip(scene["frames"][:3], records, strict=False):
        np.testing.assert_allclose(frame["found"], record.found_pose[:3].ravel(), atol=6e-4)
        np.testing.assert_allclose(frame["truth"], record.ground_truth[:3].ravel(), atol=6e-4)
    assert scene["frames"][3]["found"] is None
    assert scene["frames"][0]["text"] == "frame 0 · published · 1.0 cm, 0.50° off"
    assert scene["frames"][3]["text"] == "frame 3 · no pose · too dark"


def test_many_points_are_thinned_out(records):
    points = np.random.default_rng(0).normal(size=(3 * MOST_POINTS, 3))
    text = space_scene(records, np.tile(np.eye(4), (5, 1, 1)), points) or ""
    scene = json.loads(text)
    assert len(scene["points"]) == 3 * MOST_POINTS
    np.testing.assert_allclose(scene["points"][:3], points[0], atol=6e-4)
    np.testing.assert_allclose(scene["points"][-3:], points[-1], atol=6e-4)
    assert len(scene["keyframes"]) == 5
    assert len(text) < 150_000


def test_texts_do_not_end_the_script(records):
    assert "<" not in (space_scene(records) or "")


def test_without_poses_there_is_nothing_to_turn(make_record, tmp_path: Path):
    lost = [make_record(0, localized=False, ground_truth=False)]
    assert space_scene(lost) is None
    write_report(tmp_path, lost, RUN)
    assert "<canvas" not in (tmp_path / "report.html").read_text()


@pytest.mark.skipif(browser_path() is None, reason="needs Chromium")
def test_a_browser_draws_and_turns_it(records, tmp_path: Path):
    write_report(tmp_path, records, RUN)
    text = "document.getElementById('space-text').textContent"
    with open_page(1200, 900) as page:
        page.open((tmp_path / "report.html").as_uri(), f"({text} || '').includes('frame 0')")
        page.value("document.getElementById('space').scrollIntoView()")
        drawn = page.value("document.getElementById('space').toDataURL()")
        x, y = page.value(
            "(r => [r.x + r.width / 2, r.y + r.height / 2])"
            "(document.getElementById('space').getBoundingClientRect())"
        )
        page.drag((x, y), (x + 90, y + 30))
        assert page.value("document.getElementById('space').toDataURL()") != drawn
        page.value(
            "(s => { s.value = 1; s.dispatchEvent(new Event('input')); })"
            "(document.getElementById('space-frame'))"
        )
        assert page.value(text) == "frame 1 · wrong · 50.0 cm, 0.00° off"
