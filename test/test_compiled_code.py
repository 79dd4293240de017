"""Compiled functions are kept for the next start, until any of their files changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from numba import config

from dense_reloc_ros.compiled_code import PACKAGE, SOURCES, compiled, digest
from dense_reloc_ros.pose.compiled_feature_metric import _align


def twice(number: float) -> float:
    return 2 * number


def test_a_function_is_kept_in_a_folder_that_is_named_by_all_compiled_files():
    state = digest(PACKAGE.rglob(SOURCES))
    assert state in Path(_align.stats.cache_path).parts
    assert compiled(twice)(1.5) == 3.0


def test_a_folder_that_the_user_names_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    function = compiled(twice)
    assert function(2.0) == 4.0
    assert tmp_path in Path(function.stats.cache_path).parents
    assert str(tmp_path) == config.CACHE_DIR
    assert list(tmp_path.rglob("*.nbi"))


def test_the_folder_changes_with_any_file(tmp_path: Path):
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
