"""Where a map lies, as people and launch files write it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from dense_reloc_ros.errors import MapError

# Path has already turned // into / where the address went through one.
_ADDRESS = re.compile(r"(file|package):/*(.*)", re.DOTALL)


def local_path(path: Path | str) -> Path:
    """The path of a map: plain, from the home folder (`~`), `file://…` or `package://NAME/…`.

    Raises:
        MapError: a ROS package that is not installed where AMENT_PREFIX_PATH says.
    """
    address = _ADDRESS.fullmatch(str(path))
    if address is None:
        return _expanded(Path(path))
    kind, rest = address[1], unquote(address[2])
    if kind == "file":
        return Path("/", rest.removeprefix("localhost/"))
    package, _, inside = rest.partition("/")
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / package
        if prefix and package and share.is_dir():
            return share / inside
    raise MapError(
        f"{path}: package '{package}' is not found through AMENT_PREFIX_PATH: source the workspace "
        "that has it"
    )


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # nobody knows where that user is at home
        return path
