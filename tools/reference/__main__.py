"""Writes docs/reference anew from the code: `python -m tools.reference`, or `make reference`."""

from __future__ import annotations

from pathlib import Path

from tools.reference.command_line import command_line_page
from tools.reference.interfaces import interfaces_page
from tools.reference.parameters import parameters_page
from tools.reference.report_keys import report_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "command_line.md": command_line_page,
    "interfaces.md": interfaces_page,
    "parameters.md": parameters_page,
    "report_keys.md": report_page,
}


def main() -> None:
    """Writes every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write())


if __name__ == "__main__":
    main()
