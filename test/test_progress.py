"""Progress on terminals and in files."""

from __future__ import annotations

import logging
import sys

import pytest

from dense_reloc_ros import progress
from dense_reloc_ros.progress import show_progress


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_files_get_plain_lines_at_the_beginning_and_the_end(caplog, capsys):
    with caplog.at_level(logging.INFO, logger=progress.logger.name):
        assert list(show_progress(range(500), "describing")) == list(range(500))
    assert lines(caplog) == ["describing: 0 of 500 frames", "describing: 500 of 500 frames"]
    assert capsys.readouterr() == ("", "")


def test_lines_come_now_and_then(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, logger=progress.logger.name):
        for _ in show_progress(iter("abc"), "reading", "letter"):
            pass
    assert lines(caplog)[0] == "reading: 0 letters"
    assert lines(caplog)[-1] == "reading: 3 letters"
    assert len(lines(caplog)) > 2


def test_results_so_far_do_not_make_a_line_each(caplog):
    with caplog.at_level(logging.INFO, logger=progress.logger.name):
        shown = show_progress(range(50), "localizing")
        for number in shown:
            shown.set_postfix(localized=number)
    assert lines(caplog) == [
        "localizing: 0 of 50 frames",
        "localizing: 50 of 50 frames, localized=49",
    ]


def test_terminals_get_a_bar(capsys, monkeypatch, caplog):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO, logger=progress.logger.name):
        list(show_progress(range(3), "describing"))
    assert "describing: 100%" in capsys.readouterr().err
    assert not caplog.records


def test_quiet_shows_nothing(capsys, caplog):
    with caplog.at_level(logging.ERROR, logger=progress.logger.name):
        assert list(show_progress(range(3), "describing")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    assert not caplog.records


def test_a_label_that_changes_is_followed_by_one_colon(caplog):
    with caplog.at_level(logging.INFO, logger=progress.logger.name):
        steps = show_progress(range(2), "starting")
        steps.set_description("replaying")
        list(steps)
    assert lines(caplog)[-1] == "replaying: 2 of 2 frames"
