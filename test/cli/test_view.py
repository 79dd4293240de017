"""`dense-reloc view` as users type it."""

from __future__ import annotations

import numpy as np
import pytest
from scene.small_map import make_map

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.report_folder import write_results
from dense_reloc_ros.evaluation.report.run_summary import RunInformation
from dense_reloc_ros.scene.writer import write_map


@pytest.fixture
def map_path(tmp_path):
    write_map(tmp_path / "map", make_map())
    return tmp_path / "map"


@pytest.fixture
def report(tmp_path, map_path):
    record = FrameRecord(stamp=0, name="first.jpg", T_map_camera=np.eye(4), ground_truth=np.eye(4))
    run = RunInformation("nre", "cpu", "0123", str(map_path), "queries", "localize")
    write_results(tmp_path / "report", [record], run)
    return tmp_path / "report"


@pytest.fixture
def served(monkeypatch):
    """The scenes that were served; each ends at once, as by Ctrl-C."""
    pytest.importorskip("viser")
    from dense_reloc_ros.viewing.browser import Browser

    scenes = []

    def note(browser: Browser) -> None:
        names = ("/map/points", "/run/published", "/frame/found")
        handles = [browser.server.scene.get_handle_by_name(name) for name in names]
        scenes.append([handle is not None for handle in handles])

    monkeypatch.setattr(Browser, "serve", note)
    return scenes


def test_a_map_is_shown(map_path, served, capsys):
    assert main(["view", str(map_path), "--port", "18090"]) == 0
    assert served == [[True, False, False]]
    assert capsys.readouterr().out.startswith("http://localhost:180")


def test_a_report_is_shown_in_its_map(report, served, caplog):
    assert main(["view", str(report), "--port", "18090"]) == 0
    assert served == [[True, True, True]]
    assert "the report is about map revision 0123, this is" in caplog.text


def test_a_map_that_moved_is_named(report, map_path, served, capsys):
    moved = map_path.rename(map_path.with_name("moved"))
    assert main(["view", str(report)]) == 2
    assert "no such map" in capsys.readouterr().err
    assert main(["view", str(report), "--map", str(moved), "--port", "18090"]) == 0
    assert len(served) == 1


def test_what_is_neither_is_refused(tmp_path, report, capsys):
    assert main(["view", str(tmp_path / "absent")]) == 2
    assert "no such map" in capsys.readouterr().err
    (report / "frames.json").write_text("{}")
    assert main(["view", str(report)]) == 2
    assert "frames.json: not the frames of a report" in capsys.readouterr().err
    (report / "frames.json").unlink()
    assert main(["view", str(report)]) == 2
    assert "dense-reloc localize or replay writes it" in capsys.readouterr().err
