"""Opens safetensors files of a map, memory-mapped."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from dense_reloc_ros.errors import MapError


def open_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors by name, whose pages are read when they are used, and the file's metadata.

    Raises:
        MapError: a file that is missing or damaged; does not name it.
    """
    try:
        with safe_open(file, framework="pt", device="cpu") as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            return tensors, content.metadata() or {}
    except OSError as error:
        raise MapError(error.strerror or "no such file") from None
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise MapError(f"truncated or altered ({' '.join(str(error).split())})") from None
