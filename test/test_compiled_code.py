"""Compiled functions are kept for the next start, until any of their files changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dense_reloc_ros import compiled_code
from dense_reloc_ros.compiled_code import PACKAGE, SOURCES, compiled, digest, first_writable
from dense_reloc_ros.geometry import camera
from dense_reloc_ros.pose import compiled_feature_metric, levenberg_marquardt


def twice(number: float) -> float:
    return 2 * number


def test_a_function_is_kept_in_a_folder_that_is_named_by_all_files_it_depends_on():
    sources = {file for pattern in SOURCES for file in PACKAGE.rglob(pattern)}
    modules = (compiled_feature_metric, camera, levenberg_marquardt)
    assert {Path(module.__file__) for module in modules} <= sources
    assert Path(compiled_feature_metric._align.stats.cache_path).parent.name == digest(sources)


def test_the_next_start_reads_what_was_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled_code, "_folder", lambda: tmp_path)
    first, second = compiled(twice), compiled(twice)
    assert first(2.0) == second(2.0) == 4.0
    assert sum(first.stats.cache_hits.values()) == 0
    assert sum(second.stats.cache_hits.values()) == 1
    assert tmp_path in Path(first.stats.cache_path).parents


def test_a_function_is_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled_code, "_folder", lambda: None)
    assert compiled(twice)(1.5) == 3.0


def test_the_first_folder_that_can_be_made_is_taken(tmp_path: Path):
    (tmp_path / "file").touch()
    impossible, possible = tmp_path / "file" / "a", tmp_path / "b" / "c"
    assert first_writable([impossible, possible]) == possible
    assert possible.is_dir()
    assert first_writable([impossible]) is None


def test_the_name_changes_with_any_file(tmp_path: Path):
    files = [tmp_path / "compiled_a.py", tmp_path / "compiled_b.py"]
    for file in files:
        file.write_text("x = 1\n")
    before = digest(files)
    assert digest(reversed(files)) == before
    link = tmp_path / "compiled_c.py"
    link.symlink_to(tmp_path / "removed.py")
    assert digest([*files, link]) == before
    files[1].write_text("x = 2\n")
    assert digest(files) != before
