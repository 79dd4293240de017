"""Numbers are found in results, compared by their noise, and written down."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from loaded_tool import loaded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    with loaded("check_numbers") as module:
        yield module


RESULTS = [
    {"level": "clean", "map": "/some/where/maps/compact_100", "recall": {"5cm_5deg": 0.98}},
    {"level": "night", "map": "/some/where/maps/compact_100", "recall": None},
]


def baseline(folder: Path, value: float | None, tolerance: float = 0.02) -> Path:
    program = f"open({str(folder)!r} + '/results.json', 'w').write({json.dumps(RESULTS)!r})"
    number = {
        "name": "recall",
        "command": "run",
        "where": {"level": "clean", "map": "compact_100"},
        "key": "recall.5cm_5deg",
        "value": value,
        "tolerance": tolerance,
    }
    line = shlex.join([sys.executable, "-c", program])
    command = {"run": [line], "results": "{work}/results.json"}
    path = folder / "baseline.json"
    path.write_text(json.dumps({"commands": {"run": command}, "numbers": [number]}))
    return path


def check(tool, folder: Path, *options: str) -> int:
    baseline_file = str(folder / "baseline.json")
    folders = ["--data", "unused", "--work", str(folder)]
    return tool.main([*folders, "--baseline", baseline_file, *options])


@pytest.mark.parametrize(("value", "status"), [(0.97, 0), (0.95, 1), (None, 1)])
def test_a_number_may_differ_by_its_noise(value, status, tool, tmp_path, capsys):
    baseline(tmp_path, value)
    assert check(tool, tmp_path) == status
    assert ("DIFFERS" in capsys.readouterr().out) == (status == 1)


def test_what_was_found_is_written_with_where_it_was_found(tool, tmp_path):
    path = baseline(tmp_path, None)
    assert check(tool, tmp_path, "--write") == 0
    written = json.loads(path.read_text())
    assert written["numbers"][0]["value"] == 0.98
    assert len(written["commit"]) == 40
    assert written["machine"].split(" x ")[0].isdigit()
    assert check(tool, tmp_path, "--reuse") == 0


def test_numbers_that_are_null_or_not_one_are_missing(tool):
    number = tool.Number(name="", command="", where={}, key="recall.5cm_5deg", tolerance=0)
    assert tool.find_number(number, RESULTS) is None
    night = number.model_copy(update={"where": {"level": "night"}})
    assert tool.find_number(night, RESULTS) is None


def test_the_baseline_is_valid_and_its_numbers_come_from_its_commands(tool):
    text = (ROOT / "docs/baseline.json").read_text()
    found = tool.Baseline.model_validate_json(text)
    assert {number.command for number in found.numbers} <= set(found.commands)
    names = [number.name for number in found.numbers]
    assert len(set(names)) == len(names)
