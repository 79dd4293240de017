"""Runs the commands that the published numbers come from, and says which numbers differ.

    tools/check_numbers.py --data DIR --work DIR [--only COMMAND ...] [--reuse] [--write]

docs/baseline.json lists the commands, with {data} and {work} for the two folders, and the numbers:
where each is in a command's JSON file, its value, and its noise (`tolerance`), by which it may
differ. --write puts what was found in the place of the values, with the commit, the date and the
machine. Exit status 1: a number differs, or is missing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

logger = logging.getLogger(__name__)

BASELINE = Path(__file__).parents[1] / "docs/baseline.json"


class Command(BaseModel):
    """One run of `dense-reloc` or of a script."""

    model_config = ConfigDict(extra="forbid")

    run: list[str]
    """Command lines, one after another."""
    results: str
    """JSON file with a list of objects that they write."""


class Number(BaseModel):
    """A number that is published."""

    model_config = ConfigDict(extra="forbid")

    name: str
    command: str
    where: dict[str, str | int]
    """What singles out the object in the list; strings may be the end of a path."""
    key: str
    """Of the number in the object; dots lead into objects in it."""
    value: float | None = None
    tolerance: float = Field(ge=0)
    """How far it varies from run to run."""


class Baseline(BaseModel):
    """The content of docs/baseline.json."""

    model_config = ConfigDict(extra="forbid")

    commit: str = ""
    date: str = ""
    machine: str = ""
    commands: dict[str, Command]
    numbers: list[Number]


def find_number(number: Number, results: list[dict[str, Any]]) -> float | None:
    """The number in the results of its command; None where it is not there, or is null."""
    found = [r for r in results if all(_fits(r.get(k), v) for k, v in number.where.items())]
    if len(found) != 1:
        return None
    value = found[0]
    for key in number.key.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return None if value is None else float(value)


def differs(number: Number, found: float | None) -> bool:
    """Whether a number differs by more than its noise, or is there only once."""
    if number.value is None or found is None:
        return number.value is not found
    return abs(found - number.value) > number.tolerance


def _fits(value: object, wanted: str | int) -> bool:
    return value == wanted or (isinstance(wanted, str) and str(value).endswith(f"/{wanted}"))


def filled_in(text: str, folders: dict[str, str]) -> str:
    """The text with the folders' paths in the place of their names in braces."""
    for name, path in folders.items():
        text = text.replace(f"{{{name}}}", path)
    return text


def run_command(command: Command, folders: dict[str, str]) -> None:
    """Runs the lines of a command, showing each; raises CalledProcessError where one fails."""
    for line in command.run:
        words = [filled_in(word, folders) for word in shlex.split(line)]
        logger.info("%s", shlex.join(words))
        subprocess.run(words, check=True)


def as_json(baseline: Baseline) -> str:
    """The content of the file, with a line for each number."""
    head = json.dumps(baseline.model_dump(exclude={"numbers"}), indent=2, ensure_ascii=False)
    lines = [json.dumps(one.model_dump(), ensure_ascii=False) for one in baseline.numbers]
    numbers = ",\n    ".join(lines)
    return head.removesuffix("\n}") + f',\n  "numbers": [\n    {numbers}\n  ]\n}}\n'


def machine() -> str:
    """The processor and how many of them there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor()}"


def main(arguments: list[str] | None = None) -> int:
    """Runs what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the scenes")
    parser.add_argument("--work", required=True, help="folder for maps and results")
    parser.add_argument("--only", nargs="+", metavar="COMMAND", help="only these commands")
    parser.add_argument("--reuse", action="store_true", help="take results that are there already")
    parser.add_argument("--write", action="store_true", help="write what was found to the baseline")
    parser.add_argument("--baseline", type=Path, default=BASELINE, metavar="JSON")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parser.parse_args(arguments)
    baseline = Baseline.model_validate_json(options.baseline.read_text())
    folders = {"data": options.data, "work": options.work}
    bad = 0
    for name in options.only or baseline.commands:
        command = baseline.commands[name]
        file = Path(filled_in(command.results, folders))
        if not (options.reuse and file.exists()):
            run_command(command, folders)
        results = json.loads(file.read_text())
        for number in (n for n in baseline.numbers if n.command == name):
            found = find_number(number, results)
            is_bad = differs(number, found)
            bad += is_bad
            mark = "DIFFERS" if is_bad else "as before"
            line = f"{mark:9} {found} (was {number.value} ± {number.tolerance:g}) {number.name}"
            sys.stdout.write(line + "\n")
            if options.write:
                number.value = found
    if options.write:
        commit = ["git", "rev-parse", "HEAD"]
        baseline.commit = subprocess.run(
            commit, check=True, capture_output=True, text=True, cwd=BASELINE.parent
        ).stdout.strip()
        baseline.date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        baseline.machine = machine()
        options.baseline.write_text(as_json(baseline))
    return 1 if bad and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
