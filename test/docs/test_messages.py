"""Every message that the package can give is explained, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tools.reference.messages import messages

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "messages.md"


def explained() -> list[str]:
    """The first column of all tables."""
    cells = re.findall(r"^\| (`+)(.+?)\1 \|", PAGE.read_text(), re.MULTILINE)
    return [plain(text) for _, text in cells]


def plain(text: str) -> str:
    return " ".join(text.split())


def test_every_message_is_explained() -> None:
    given = {plain(text): files for text, files in messages().items()}
    rows = set(explained())
    missing = {text: files for text, files in given.items() if text not in rows}
    assert not missing, "add these to docs/guides/messages.md"


def test_no_message_is_explained_that_does_not_exist() -> None:
    given = {plain(text) for text in messages()}
    assert not [text for text in explained() if text not in given], "remove these"


def test_no_message_is_explained_twice() -> None:
    assert len(explained()) == len(set(explained()))
