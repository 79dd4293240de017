"""Downloads the wallpaper packages of Debian and keeps their photographs, made small.

    .venv/bin/python tools/fetch_photographs.py [FOLDER]

FOLDER (default: photographs) gets `train/` and `test/`, which share no picture. What is fetched is
written in tools/photographs: `packages.txt` (name, SHA-256, address) and `files.txt` (train or
test, package, path in it). Photographs that are there already are not fetched again. Needs
`dpkg-deb`, but neither root nor an installation. Licences: docs/reference/training_data.md.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections import defaultdict
from pathlib import Path

from PIL import Image
from tqdm import tqdm

LISTS = Path(__file__).parent / "photographs"
LONGEST_SIDE = 1600
QUALITY = 92
TIMEOUT = 300
"""Seconds without an answer."""

Wanted = dict[str, Path]
"""Paths in a package, and where the photographs go."""


def main() -> int:
    """Fetches what is missing; 1 if a package could not be had."""
    parser = argparse.ArgumentParser(
        description="Downloads the photographs of docs/reference/training_data.md"
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("photographs"))
    folder = parser.parse_args().folder
    missing = _missing(folder)
    packages = [line.split() for line in (LISTS / "packages.txt").read_text().splitlines()]
    for name, checksum, address in tqdm(packages, desc="packages", disable=None):
        if name not in missing:
            continue
        try:
            _extract(_download(address, checksum), missing[name])
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
            print(f"{address}: {error}", file=sys.stderr)
    return 1 if _missing(folder) else 0


def _missing(folder: Path) -> dict[str, Wanted]:
    """By package what `files.txt` names and is not in the folder yet."""
    missing: dict[str, Wanted] = defaultdict(dict)
    for line in (LISTS / "files.txt").read_text().splitlines():
        split, package, path = line.split(" ", 2)
        # Plasma calls its files by their size, in a folder with the picture's name.
        stem = Path(path).stem if "/contents/" not in path else Path(path).parts[-4]
        target = folder / split / f"{package}_{stem}.jpg"
        if not target.exists():
            missing[package][path] = target
    return missing


def _download(address: str, checksum: str) -> bytes:
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
        package: bytes = answer.read()
    if hashlib.sha256(package).hexdigest() != checksum:
        raise ValueError("not the file it was: its SHA-256 differs from the one in packages.txt")
    return package


def _extract(package: bytes, wanted: Wanted) -> None:
    with tempfile.NamedTemporaryFile(suffix=".deb") as file:
        file.write(package)
        file.flush()
        command = ["dpkg-deb", "--fsys-tarfile", file.name]
        archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        for path, target in wanted.items():
            member = content.extractfile(f"./{path}")
            if member is None:
                raise ValueError(f"{path} is not a file")
            _save_small(member.read(), target)


def _save_small(photograph: bytes, target: Path) -> None:
    """As a JPEG whose name appears only once it is whole."""
    with Image.open(io.BytesIO(photograph)) as image:
        image.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
        small = image.convert("RGB")
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    small.save(part, "JPEG", quality=QUALITY)
    part.rename(target)


if __name__ == "__main__":
    sys.exit(main())
