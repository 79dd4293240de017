"""Links lead somewhere: mkdocs checks those between pages of docs/, this the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOP = sorted(path.name for path in ROOT.glob("*.md"))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    kept = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s+", "-", heading) for heading in kept}


@pytest.mark.parametrize("name", TOP)
def test_links_of_the_top_pages_lead_to_files_and_headings(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        page = ROOT / path if path else ROOT / name
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), link


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = re.findall(r": (\S+\.md)$", text, re.MULTILINE)
    present = [str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(present)


def test_every_room_is_explained() -> None:
    rooms = {path.parent.name for path in (ROOT / "dense_reloc_ros").glob("*/__init__.py")}
    explained = re.findall(r"`(\w+)/`", (ROOT / "CONTRIBUTING.md").read_text())
    assert rooms <= set(explained)


def test_readme_is_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert f"version = {citation['version']}" in (ROOT / "setup.cfg").read_text()
    assert len(citation["references"]) >= 5
