"""What tools/fetch_photographs.py fetches."""

import re
from pathlib import Path

LISTS = Path(__file__).parents[3] / "tools/photographs"


def test_lists_agree_and_keep_training_and_test_apart():
    packages = [line.split() for line in (LISTS / "packages.txt").read_text().splitlines()]
    names = [name for name, _, _ in packages]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for _, checksum, _ in packages)
    files = [line.split(" ", 2) for line in (LISTS / "files.txt").read_text().splitlines()]
    assert {package for _, package, _ in files} == set(names)
    assert len({(package, path) for _, package, path in files}) == len(files)
    splits = [split for split, _, _ in files]
    assert set(splits) == {"train", "test"}
    assert splits.count("train") > splits.count("test")
