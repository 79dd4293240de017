"""Where the numbers of the `bench` commands go: a table on the terminal, JSON in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.metrics import Threshold

REDIRECTED_WIDTH = 200
"""Columns of a table that does not go to a terminal."""


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


def print_table(table: Table) -> None:
    """Prints a table, in full width where no terminal limits it."""
    console = Console()
    console = console if console.is_terminal else Console(width=REDIRECTED_WIDTH)
    console.print(table)


def threshold_name(threshold: Threshold) -> str:
    """For people: 5 cm, 5°."""
    metres = threshold.translation_m
    length = f"{metres:g} m" if metres >= 1 else f"{100 * metres:g} cm"
    return f"{length}, {threshold.rotation_deg:g}°"


def map_name(path: str, keyframes: int) -> str:
    """For people: kitchen (100 keyframes)."""
    return f"{Path(path).name} ({keyframes} keyframes)"
