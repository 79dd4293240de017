"""Every message that the package can give is explained, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.reference.messages import messages

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "messages.md"


def explained() -> list[str]:
    """The first column of all tables."""
    cells = re.findall(r"^\| (`+)(.+?)\1 \|", PAGE.read_text(), re.MULTILINE)
    return [plain(text) for _, text in cells]


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def given() -> dict[str, set[str]]:
    """Each message, and the files that give it."""
    return {plain(text): files for text, files in messages().items()}


def test_every_message_is_explained(given: dict[str, set[str]]) -> None:
    rows = set(explained())
    missing = {text: files for text, files in given.items() if text not in rows}
    assert not missing, "add these to docs/guides/messages.md"


def test_no_message_is_explained_that_does_not_exist(given: dict[str, set[str]]) -> None:
    assert not [text for text in explained() if text not in given], "remove these"


def test_no_message_is_explained_twice() -> None:
    assert len(explained()) == len(set(explained()))
