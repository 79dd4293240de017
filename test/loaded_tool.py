"""Scripts of the folder `tools` as modules."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

TOOLS = Path(__file__).parents[1] / "tools"


@contextmanager
def loaded(name: str) -> Iterator[ModuleType]:
    """A script; while it is there, pydantic and dataclasses find its annotations."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]
