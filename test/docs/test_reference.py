"""The reference pages are those that the code gives."""

from __future__ import annotations

import pytest

from tools.reference.__main__ import FOLDER, PAGES
from tools.reference.interfaces import ROOT, launch_arguments


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_gives(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "call `make reference`"


def test_every_key_of_the_report_is_explained() -> None:
    rows = [line.split(" | ") for line in PAGES["report_keys.md"]().splitlines() if "| `" in line]
    assert len(rows) > 30
    assert not [key for key, _, text in rows if not text.strip(" |")]


def test_files_that_launch_arguments_stand_for_exist() -> None:
    paths = {
        name: default.strip("`")
        for name, default, _ in launch_arguments()
        if default.startswith("`config/")
    }
    assert paths == {
        "`params_file`": "config/reloc.yaml",
        "`fastdds_profile`": "config/fastdds.xml",
    }
    assert all((ROOT / path).is_file() for path in paths.values())
