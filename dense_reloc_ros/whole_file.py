"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path


def legible(text: str) -> str:
    """Text that can be written as UTF-8: bytes of a path that are none are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file (text as UTF-8) beside its place, which it then takes by one rename.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    data = content if isinstance(content, bytes) else legible(content).encode()
    if path.exists() and not path.is_file():  # a device or pipe
        path.write_bytes(data)
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
