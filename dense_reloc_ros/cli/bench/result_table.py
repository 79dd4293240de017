"""Where the numbers of the `bench` commands go: a table on the terminal, files in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.condition_results import ConditionResult
from dense_reloc_ros.evaluation.metrics.accuracy import Threshold

REDIRECTED_WIDTH = 200
"""Columns of a table that does not go to a terminal."""

Result = TypeVar("Result")


class JsonFile:
    """A file for results, or nowhere where `folder` is None.

    Raises:
        InputError: a folder that cannot be made; said before any time is spent.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = folder / name if folder else None
        try:
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error}") from None

    def write(self, results: Sequence[BaseModel]) -> None:
        """Writes a list with an object for each result.

        Raises:
            InputError: it cannot be written.
        """
        if self._path is None:
            return
        content = [result.model_dump(mode="json") for result in results]
        try:
            self._path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error}") from None


def print_results(
    results: Sequence[Result],
    columns: Mapping[str, Callable[[Result], str]],
    title: str,
    section: Callable[[Result], object],
    names: int = 3,
    caption: str | None = None,
) -> None:
    """Prints a row for each result, with a line between sections.

    `columns` say by their heading what is shown of a result; the first `names` of them are text.
    """
    table = Table(title=title, caption=caption)
    for index, heading in enumerate(columns):
        table.add_column(heading, justify="left" if index < names else "right")
    for _, of_section in groupby(results, key=section):
        for result in of_section:
            table.add_row(*(show(result) for show in columns.values()))
        table.add_section()
    print_table(table)


def print_table(table: Table) -> None:
    """Prints a table, in full width where no terminal limits it."""
    console = Console()
    console = console if console.is_terminal else Console(width=REDIRECTED_WIDTH)
    console.print(table)


def number(value: float | None, digits: int, unit: str = "") -> str:
    """For people; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def share_within(name: str) -> Callable[[ConditionResult], str]:
    """Shows the share of the frames within a threshold of `RECALL_THRESHOLDS`."""
    return lambda result: number(None if result.recall is None else result.recall[name], 3)


def median_error(result: ConditionResult) -> str:
    """For people: 0.81 cm, 0.21°."""
    if result.median_translation_m is None or result.median_rotation_deg is None:
        return "-"
    return f"{100 * result.median_translation_m:.2f} cm, {result.median_rotation_deg:.2f}°"


def calibration_error(result: ConditionResult) -> str:
    """The expected calibration error."""
    found = result.calibration
    return number(None if found is None else found.expected_calibration_error, 3)


def threshold_name(threshold: Threshold) -> str:
    """For people: 5 cm, 5°."""
    metres = threshold.translation_m
    length = f"{metres:g} m" if metres >= 1 else f"{100 * metres:g} cm"
    return f"{length}, {threshold.rotation_deg:g}°"


def map_name(path: str, keyframes: int) -> str:
    """For people: kitchen (100 keyframes)."""
    return f"{Path(path).name} ({keyframes} keyframes)"
