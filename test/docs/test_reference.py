"""The reference pages are those that the code gives."""

from __future__ import annotations

import pytest

from tools.reference.__main__ import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_gives(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "call `make reference`"


def test_every_key_of_the_report_is_explained() -> None:
    rows = [line.split(" | ") for line in PAGES["report_keys.md"]().splitlines() if "| `" in line]
    assert len(rows) > 30
    assert not [key for key, _, text in rows if not text.strip(" |")]
